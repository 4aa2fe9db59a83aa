package web

import (
	"context"
	"strings"
	"time"

	"github.com/sinkd/sinkd/store"
)

// sight is what the database said last, and since when it says nothing.
type sight struct {
	view    store.View
	letters store.ViewLetters
	// asked is when it answered last, zero for never.
	asked time.Time
	// err is why it does not answer, since when; nil where it does.
	err    error
	failed time.Time
}

const (
	// ledgerSpan is how far back the history begins.
	ledgerSpan = 7 * 24 * time.Hour
	// overlap is how long after its row in the ledger was made a batch may
	// become visible.
	overlap = 10 * time.Second
)

// askOnce asks the database; where it does not answer, what it said last
// stands.
func (p *Page) askOnce(ctx context.Context) {
	before := p.last()
	since := time.Now().Add(-ledgerSpan)
	if !before.asked.IsZero() {
		since = before.view.Status.Now.Add(-overlap)
	}
	v, err := p.cfg.Ledger.View(ctx, since)
	letters := before.letters
	if err == nil && changed(v.Letters, before.view.Letters) {
		letters, err = p.cfg.Ledger.ViewLetters(ctx)
	}
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	if err == nil {
		for i := range v.Batches {
			p.history.committed(&v.Batches[i])
		}
		if p.sight.asked.IsZero() {
			p.rates.recall(v.Batches)
		}
		if !before.asked.IsZero() && time.Since(before.asked) > attention {
			p.rates.before = nil // what others did meanwhile is not of this second
		}
		v.Batches = nil
		p.sight = sight{view: v, letters: letters, asked: time.Now()}
	} else {
		if p.sight.err == nil {
			p.sight.failed = time.Now()
		}
		p.sight.err = err
	}
	p.mu.Unlock()
	p.look(time.Now())
}

// last gives what the database said last.
func (p *Page) last() sight {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sight
}

// changed tells whether the dead letters are not those that were read.
func changed(a, b store.LetterSum) bool {
	if a.Last == nil || b.Last == nil {
		return a.Last != b.Last
	}
	return a.Count != b.Count || !a.Last.Equal(*b.Last)
}

// ledgerShown is what the page says of its own questions to the database.
type ledgerShown struct {
	Kept   bool       `json:"kept"`
	Asked  *time.Time `json:"asked_at,omitempty"`
	Failed *time.Time `json:"failing_since,omitempty"`
	Error  string     `json:"error,omitempty"`
}

func (s *sight) shown(kept bool) ledgerShown {
	out := ledgerShown{Kept: kept}
	if !s.asked.IsZero() {
		out.Asked = &s.asked
	}
	if s.err != nil {
		out.Failed, out.Error = &s.failed, strings.Join(strings.Fields(s.err.Error()), " ")
	}
	return out
}
