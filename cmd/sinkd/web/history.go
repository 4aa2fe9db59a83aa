package web

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
)

// batchesKept is how many batches the page shows.
const batchesKept = 300

// Batch is one of the last batches, as /api/batches answers it. Times of stages
// are in milliseconds; they are known of what this process landed itself.
type Batch struct {
	ID      uuid.UUID `json:"id"`
	Kind    string    `json:"kind"`
	Started time.Time `json:"started_at"`
	// Committed is by the clock of whoever tells of it.
	Committed time.Time    `json:"committed_at"`
	Total     float64      `json:"total_ms"`
	Stages    *Stages      `json:"stages,omitempty"`
	Writer    string       `json:"writer"`
	Records   int64        `json:"records"`
	Rows      int64        `json:"rows"`
	Skipped   int64        `json:"skipped"`
	Dead      int64        `json:"dead"`
	Bytes     int64        `json:"bytes"`
	Ranges    int64        `json:"ranges"`
	Spans     []store.Span `json:"first_ranges"`
	SQLState  string       `json:"sqlstate,omitempty"`
	// version is the history's when the batch came in, or was changed.
	version int
}

// Stages are how long a batch was in each stage, in milliseconds.
type Stages struct {
	Wait   float64 `json:"wait"`
	Build  float64 `json:"build"`
	Copy   float64 `json:"copy"`
	Merge  float64 `json:"merge"`
	Commit float64 `json:"commit"`
}

// history are the last batches: those of this process with their stages, those
// of others and of earlier runs from the ledger.
type history struct {
	version int
	byID    map[uuid.UUID]*Batch
}

func newHistory() history { return history{byID: make(map[uuid.UUID]*Batch)} }

// landed takes a batch of this process in.
func (h *history) landed(l *stream.Landing, writer string) {
	if l.Records == 0 {
		return
	}
	b := &Batch{
		ID: l.ID, Kind: "batch", Started: l.Started, Committed: l.Ended, Total: milliseconds(l.Ended.Sub(l.Started)),
		Stages: &Stages{
			Wait: milliseconds(l.Waited), Build: milliseconds(l.Built), Copy: milliseconds(l.Copy),
			Merge: milliseconds(l.Merge), Commit: milliseconds(l.Commit),
		},
		Writer: writer, Records: int64(l.Records), Rows: int64(l.Rows), Skipped: int64(l.Skipped), Dead: int64(l.Dead),
		Bytes: l.Bytes, Ranges: int64(l.Ranges), SQLState: l.SQLState,
	}
	for _, s := range l.Spans {
		b.Spans = append(b.Spans, store.Span{Topic: s.Topic, Partition: s.ID, From: s.From, Until: s.Until})
	}
	h.put(b)
}

// committed takes a batch of the ledger in, where it is not known better.
func (h *history) committed(l *store.LedgerBatch) {
	if h.byID[l.ID] != nil || l.Records == 0 && l.Kind == "batch" {
		return
	}
	h.put(&Batch{
		ID: l.ID, Kind: l.Kind, Started: l.Started, Committed: l.Committed, Total: milliseconds(l.Committed.Sub(l.Started)),
		Writer: l.Writer, Records: l.Records, Rows: l.Rows, Skipped: l.Skipped, Dead: l.Dead, Bytes: l.Bytes,
		Ranges: l.Ranges, Spans: l.Spans,
	})
}

func (h *history) put(b *Batch) {
	h.version++
	b.version = h.version
	h.byID[b.ID] = b
	if len(h.byID) >= 2*batchesKept {
		for _, old := range h.after(0)[:len(h.byID)-batchesKept] {
			delete(h.byID, old.ID)
		}
	}
}

// after gives the batches that came in after a version, the oldest first.
func (h *history) after(version int) []*Batch {
	out := make([]*Batch, 0, len(h.byID))
	for _, b := range h.byID {
		if b.version > version {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b *Batch) int {
		return cmp.Or(a.Committed.Compare(b.Committed), slices.Compare(a.ID[:], b.ID[:]))
	})
	return out
}

// newest gives at most batchesKept of them.
func newest(batches []*Batch) []*Batch { return batches[max(len(batches)-batchesKept, 0):] }

// milliseconds are rounded to what people read.
func milliseconds(d time.Duration) float64 { return float64(max(d, 0).Microseconds()) / 1000 }
