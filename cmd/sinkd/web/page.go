package web

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
)

const (
	// beat is the time between two looks at this process, ledgerBeat the least
	// time between two questions to the database, whoever looks.
	beat       = time.Second
	ledgerBeat = 2 * time.Second
	// attention is how long after a single question the database is still asked.
	attention = 10 * time.Second
)

// Ledger is what the page asks the database.
type Ledger interface {
	// View gives what is shown beside the newest dead letters, with the batches
	// since a moment.
	View(ctx context.Context, since time.Time) (store.View, error)
	// ViewLetters gives the newest dead letters and their groups.
	ViewLetters(ctx context.Context) (store.ViewLetters, error)
}

// PageConfig is what the page shows.
type PageConfig struct {
	Status func() Status
	// Landings gives the batches of this process after the first n, and how many
	// there ever were.
	Landings func(n int) ([]stream.Landing, int)
	// Ledger is nil where the database keeps no tables of ours.
	Ledger Ledger
	// Payloads tells that dead letters are shown with their bytes.
	Payloads bool
	// Settings is the configuration in force, without secrets.
	Settings []Setting
}

// Setting is a variable, or a route, as the page's footer shows it.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Page collects what the page shows, once for all who look. While nobody does,
// the database is not asked.
type Page struct {
	cfg PageConfig
	// wake is poked when somebody begins to look.
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	changed chan struct{}
	viewers int
	looked  time.Time
	// version numbers what was published.
	version int
	events  map[string]event
	history history
	rates   rates
	// sight is what the database said last.
	sight sight
	// landed is how many batches of this process are in the history.
	landed int
}

// event is one part of the page, as it was published last.
type event struct {
	version int
	data    []byte
}

// NewPage makes a page, which shows something once Run has begun.
func NewPage(cfg PageConfig) *Page {
	p := &Page{
		cfg: cfg, wake: make(chan struct{}, 1), done: make(chan struct{}), changed: make(chan struct{}),
		events: make(map[string]event), history: newHistory(),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.publish("config", struct {
		Settings []Setting `json:"settings"`
	}{cfg.Settings})
	return p
}

// Run keeps the page's data up to date until the context ends, which ends all
// streams of events as well.
func (p *Page) Run(ctx context.Context) {
	defer close(p.done)
	var asking sync.WaitGroup
	defer asking.Wait()
	if p.cfg.Ledger != nil {
		asking.Go(func() { p.ask(ctx) })
	}
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		p.look(time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// ask asks the database while somebody looks.
func (p *Page) ask(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		for !p.watched() {
			select {
			case <-p.wake:
			case <-ctx.Done():
				return
			}
		}
		p.askOnce(ctx)
		pause.Reset(ledgerBeat)
	}
}

// watched tells whether somebody looks.
func (p *Page) watched() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.viewers > 0 || time.Since(p.looked) < attention
}

// attend notes that somebody looks.
func (p *Page) attend() {
	p.mu.Lock()
	p.looked = time.Now()
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// look takes what this process knows.
func (p *Page) look(now time.Time) {
	st := p.cfg.Status()
	p.mu.Lock()
	defer p.mu.Unlock()
	batches, count := p.cfg.Landings(p.landed)
	for i := range batches {
		p.history.landed(&batches[i], st.Writer)
	}
	p.landed = count
	parts := merge(&st, &p.sight)
	p.rates.add(now, parts)
	if p.viewers > 0 || now.Sub(p.looked) < attention {
		p.show(now, &st, parts)
	}
}

// publish makes a part of the page known where it has changed; the mutex is
// held, and whoever holds it announces.
func (p *Page) publish(name string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		return
	}
	if old, ok := p.events[name]; ok && string(old.data) == string(data) {
		return
	}
	p.version++
	p.events[name] = event{p.version, data}
}

// announce tells all who wait that something was published; the mutex is held.
func (p *Page) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}
