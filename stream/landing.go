package stream

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
)

const (
	// landingsKept is how many batches are remembered for people.
	landingsKept = 300
	// spansKept is how many ranges are remembered of each.
	spansKept = 12
)

// Landing is a batch that landed, as this process saw it.
type Landing struct {
	ID             uuid.UUID
	Started, Ended time.Time
	// Waited and Built are the stages before the transaction.
	Waited, Built time.Duration
	sinkd.Timing
	Records, Rows, Skipped, Dead int
	Bytes                        int64
	// Ranges is their number, Spans are the first of them.
	Ranges int
	Spans  []LandedRange
	// SQLState is that of the last error on the way, empty for none.
	SQLState string
}

// LandedRange is one range of a landing.
type LandedRange struct {
	sinkd.Partition
	From, Until int64
}

// landings remember the last batches.
type landings struct {
	mu sync.Mutex
	// count is how many there ever were; batch n is at n modulo landingsKept.
	count int
	ring  [landingsKept]Landing
}

// add remembers a batch.
func (l *landings) add(b *sinkd.Batch) {
	n := Landing{
		ID: b.ID, Started: b.Started, Ended: time.Now(), Waited: b.Waited, Built: b.Built, Timing: b.Timing,
		Records: b.Records(), Ranges: len(b.Ranges), SQLState: b.SQLState,
	}
	for i := range b.Ranges {
		r := &b.Ranges[i]
		n.Rows, n.Skipped, n.Dead = n.Rows+r.Count.Rows, n.Skipped+r.Count.Skipped, n.Dead+r.Count.Dead
		n.Bytes += r.Count.Bytes
		if i < spansKept {
			n.Spans = append(n.Spans, LandedRange{r.Claim.Partition, r.From, r.Until})
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ring[l.count%landingsKept] = n
	l.count++
}

// last is when a batch landed last, nil for never.
func (l *landings) last() *time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == 0 {
		return nil
	}
	at := l.ring[(l.count-1)%landingsKept].Ended
	return &at
}

// Landings gives the last batches that came after the first n, and how many
// there ever were.
func (f *Flow) Landings(n int) (batches []Landing, count int) {
	l := &f.landings
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := max(n, l.count-landingsKept); i < l.count; i++ {
		batches = append(batches, l.ring[i%landingsKept])
	}
	return batches, l.count
}
