package stream

import (
	"log/slog"
	"maps"
	"sync"

	"github.com/sinkd/sinkd"
)

// place is a position, under the generation of its row.
type place struct{ generation, next int64 }

// before tells that a position went back from q to p. An operator's reset begins
// a new generation, so only a failover or a restore takes one back.
func (p place) before(q place) bool {
	return p.generation < q.generation || p.generation == q.generation && p.next < q.next
}

// heights are the furthest positions that this process knows of in Postgres,
// its own and other writers', to notice where one went back. Nothing has to be
// done about it: claim and compare-and-set see to that. People want to know.
type heights struct {
	mu sync.Mutex
	at map[sinkd.Partition]place
}

// seen gives a copy.
func (h *heights) seen() map[sinkd.Partition]place {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.at)
}

// raise notes a position that is in Postgres.
func (h *heights) raise(p sinkd.Partition, at place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at == nil {
		h.at = make(map[sinkd.Partition]place)
	}
	if last, ok := h.at[p]; !ok || last.before(at) {
		h.at[p] = at
	}
}

// read notes a position that was read after the height last was known, and tells
// whether it went back.
func (h *heights) read(p sinkd.Partition, at, last place) bool {
	if !at.before(last) {
		h.raise(p, at)
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !at.before(h.at[p]) {
		return false // it was noticed meanwhile
	}
	h.at[p] = at
	return true
}

// rewound counts a position that went back, and says so.
func (f *Flow) rewound(p sinkd.Partition, at, last place) {
	if f.cfg.Idempotent || !f.heights.read(p, at, last) {
		return
	}
	f.metrics.rewinds.Inc()
	f.log.Warn("a position went back, as after a failover or a restore; the records from there on are read again",
		slog.String("partition", p.String()), slog.Int64("from", last.next), slog.Int64("to", at.next))
}

// claimedAt looks whether the positions that claims found went back.
func (f *Flow) claimedAt(claims []sinkd.Claim, seen map[sinkd.Partition]place) {
	for i := range claims {
		c := &claims[i]
		f.rewound(c.Partition, place{c.Generation, c.Next}, seen[c.Partition])
	}
}
