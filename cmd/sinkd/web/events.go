package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

const (
	// viewersMax bounds the pages that are open at the same time.
	viewersMax = 64
	// slow is how long a page may take to read what it is sent.
	slow = 10 * time.Second
)

// cursor is what one page was sent.
type cursor struct{ version, batches, samples int }

// serveEvents streams the page's parts as server-sent events: all of them
// first, then what changes.
func (p *Page) serveEvents(w http.ResponseWriter, r *http.Request) {
	if !p.enter() {
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer p.leave()
	p.look(time.Now())
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	var sent cursor
	for {
		data, next := p.news(&sent)
		_ = control.SetWriteDeadline(time.Now().Add(slow))
		if _, err := w.Write(data); err != nil {
			return
		}
		if control.Flush() != nil {
			return
		}
		select {
		case <-next:
		case <-r.Context().Done():
			return
		case <-p.done:
			return
		}
	}
}

func (p *Page) enter() bool {
	p.mu.Lock()
	ok := p.viewers < viewersMax
	if ok {
		p.viewers++
	}
	p.mu.Unlock()
	if ok {
		p.attend()
	}
	return ok
}

func (p *Page) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.viewers--
}

// news gives the events that a page was not sent yet, and what is closed when
// there are more. The sentence comes first.
func (p *Page) news(c *cursor) ([]byte, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b bytes.Buffer
	for _, name := range []string{"now", "person", "partitions", "sessions", "letters", "config"} {
		if e := p.events[name]; e.version > c.version {
			fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, e.data)
		}
	}
	c.version = p.version
	write := func(name string, v any) {
		if data, err := json.Marshal(v); err == nil {
			fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, data)
		}
	}
	if batches := newest(p.history.after(c.batches)); len(batches) > 0 {
		write("batches", batches)
		c.batches = p.history.version
	}
	i := len(p.rates.shown)
	for i > 0 && p.rates.shown[i-1].number > c.samples {
		i--
	}
	if samples := p.rates.shown[i:]; len(samples) > 0 {
		write("samples", samples)
		c.samples = p.rates.number
	}
	return b.Bytes(), p.changed
}

// serveBatches answers the last batches, the newest first, after the database
// was asked where it was not of late.
func (p *Page) serveBatches(w http.ResponseWriter, r *http.Request) {
	p.attend()
	p.fresh(r.Context())
	p.mu.Lock()
	batches := slices.Clone(newest(p.history.after(0)))
	answer := struct {
		Ledger  ledgerShown `json:"ledger"`
		Batches []*Batch    `json:"batches"`
	}{p.sight.shown(p.cfg.Ledger != nil), batches}
	p.mu.Unlock()
	slices.Reverse(batches)
	answerJSON(w, answer)
}

// fresh waits, for a little while, until the database was asked of late.
func (p *Page) fresh(ctx context.Context) {
	if p.cfg.Ledger == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, attention/2)
	defer cancel()
	began := time.Now()
	for {
		p.mu.Lock()
		answered := began.Sub(p.sight.asked) < 2*ledgerBeat || p.sight.err != nil
		next := p.changed
		p.mu.Unlock()
		if answered {
			return
		}
		select {
		case <-next:
		case <-p.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(v)
}
