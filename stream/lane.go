package stream

import (
	"context"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
)

// lane is a writer. Two goroutines work it: build takes records from the
// queues of the lane's claims and encodes a batch while apply writes the one
// before. A claim stays in its lane, so the ranges of a partition follow each
// other.
type lane struct {
	id   int
	flow *Flow
	// wake is poked when a queue, the applier or the drain changed something
	// that the builder waits for.
	wake chan struct{}

	// encoding serialises the builder and the applier, who share the encoder.
	encoding sync.Mutex
	encoder  Encoder

	mu     sync.Mutex
	queues []*queue
	// turn is the queue that the next batch takes from first.
	turn int
	// waits tells that some queue may be waiting for a missing row.
	waits bool
	// queued counts the records in the queues, weight their bytes; held is what
	// they hold of the budget.
	queued       int
	weight, held int64
	sizer        *sizer
	// flights are the batches that were taken and have not ended, in order.
	flights []*flight
	// ended is when the last commit ended.
	ended    time.Time
	draining bool
	// writing are the claims whose transaction is under way; quiet is closed
	// and replaced whenever that changes.
	writing map[*sinkd.Claim]bool
	quiet   chan struct{}
	state   laneState
	since   time.Time
}

// laneState is what a lane does, as the metrics name it.
type laneState string

const (
	laneIdle     laneState = "idle"
	laneBuilding laneState = "building"
	laneWriting  laneState = "writing"
	laneWaiting  laneState = "waiting"
)

// flight is what a lane took at once: a batch, and what its records hold of the
// budget.
type flight struct {
	batch *sinkd.Batch
	// encoded tells that the batch's rows are those of its ranges.
	encoded bool
	cost    int64
}

func newLane(f *Flow, id int) *lane {
	return &lane{
		id: id, flow: f, wake: make(chan struct{}, 1),
		encoder: f.cfg.NewEncoder(),
		sizer:   newSizer(f.cfg.BatchRecords, f.cfg.BatchTarget),
		quiet:   make(chan struct{}), state: laneIdle, since: time.Now(),
	}
}

// poke wakes the builder. It may be called with the mutex held.
func (l *lane) poke() { poke(l.wake) }

// open gives the claim a new, empty queue in this lane.
func (l *lane) open(ok *claimed) *queue {
	q := newQueue(ok, l)
	q.rate = newAllowance(l.flow.cfg.MaxRate, q.born)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queues = append(l.queues, q)
	return q
}

// drop ends a queue: nothing of it is written from now on, apart from a
// transaction that is under way.
func (l *lane) drop(q *queue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.dropped {
		return
	}
	q.closed, q.dropped = true, true
	held := q.held
	l.count(q, -q.records.Len(), -q.records.Size(q.records.Len()), -held)
	q.records = sinkd.Records{}
	if i := slices.Index(l.queues, q); i >= 0 {
		l.queues = slices.Delete(l.queues, i, i+1)
	}
	l.flow.budget.add(-held)
	l.poke()
}

// release closes a queue to the builder, waits for its transaction under way,
// at most until the context ends, and drops it.
func (l *lane) release(ctx context.Context, q *queue) {
	q.close()
	l.settle(ctx, q)
	l.drop(q)
}

// discard closes all queues of the lane.
func (l *lane) discard() {
	for _, q := range l.all() {
		q.close()
	}
}

// drain makes the lane land what it holds and end.
func (l *lane) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draining = true
	l.poke()
}

// count changes how much is in a queue: n records of so many bytes, which hold so
// much of the budget. The mutex is held.
func (l *lane) count(q *queue, n int, weight, held int64) {
	l.queued += n
	l.weight += weight
	l.held += held
	q.held += held
}

// full tells whether a whole batch is queued that may be taken. The mutex is
// held.
func (l *lane) full(now time.Time) bool {
	n, weight := l.ready(now)
	return n >= l.sizer.size() || n > 0 && weight >= l.flow.cfg.BatchBytes
}

// ready counts the records that may be taken now, and the bytes of the queues
// that are not held back. The mutex is held.
func (l *lane) ready(now time.Time) (n int, weight int64) {
	n, weight = l.queued, l.weight
	if !l.restrained() {
		return n, weight
	}
	for _, q := range l.queues {
		if ready, all := q.ready(now), q.records.Len(); ready < all {
			n -= all - ready
			weight -= q.records.Size(all)
		}
	}
	return n, weight
}

// restrained tells whether some queue may not give all that it has: its rate is
// capped, or it waits. It is asked with every push and every look of the fetcher, so
// it looks at the queues only where some did wait when it looked last. The mutex is
// held.
func (l *lane) restrained() bool {
	l.waits = l.waits && slices.ContainsFunc(l.queues, func(q *queue) bool { return q.wait.waiting() })
	return l.waits || l.flow.cfg.MaxRate > 0
}

// hungry gives what is to be read for the lane: nothing while it is sated, which
// is when it holds a whole batch beyond those that it works on, or, beside other
// lanes, more than half of the budget; and nothing for a queue that holds more
// than a quarter of it, or more than it may land soon. So one that is stuck does
// not stop the others. Queues that are asked for already are left out: the fetcher's
// mutex is held, which guards that.
func (l *lane) hungry(now time.Time) (reads []*read, sated bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := l.flow.budget.limit
	if l.full(now) || len(l.flow.lanes) > 1 && l.held > limit/2 {
		return nil, len(l.queues) > 0
	}
	for _, q := range l.queues {
		if !q.closed && !q.cursor.busy && q.held <= limit/4 && !q.glut() {
			at := spot{Partition: q.claim.Partition, topicID: q.topicID, at: q.tail}
			reads = append(reads, &read{spot: at, queue: q, backlog: q.known - q.tail, epoch: q.epoch, cursor: &q.cursor})
		}
	}
	return reads, false
}

// cut takes a batch from the lane's queues in turn: each gives at most a fair
// share of the size, what is left over goes to those that hold more. It answers
// nil where none gives anything. The mutex is held.
func (l *lane) cut() *flight {
	size := l.sizer.size()
	fl := &flight{batch: &sinkd.Batch{ID: uuid.New(), Started: time.Now()}}
	shares, alone := l.shares(size, fl.batch.Started)
	room := l.flow.cfg.BatchBytes
	for i := range l.queues {
		q := l.queues[(l.turn+i)%len(l.queues)]
		n := shares[q]
		if n == 0 && (alone || !l.gapDue(q, fl.batch.Started)) {
			continue
		}
		n = q.within(n, room, len(fl.batch.Ranges) == 0)
		if n == 0 && q.records.Len() > 0 {
			continue
		}
		weight, held := q.records.Size(n), cost(q.records, n)
		room -= weight
		l.count(q, -n, -weight, -held)
		fl.batch.Ranges = append(fl.batch.Ranges, q.take(n))
		fl.cost += held
	}
	l.turn++
	if len(fl.batch.Ranges) == 0 {
		return nil
	}
	l.flights = append(l.flights, fl)
	slices.SortFunc(fl.batch.Ranges, func(a, b sinkd.Range) int {
		return a.Claim.Partition.Compare(b.Claim.Partition)
	})
	return fl
}

// shares divides size among the queues that have records to give: equal parts,
// and what one does not need goes to the others. A queue that tries again what a
// missing row kept back stands alone, and at most every other batch is such a
// try where others have something: what many wait for may be theirs. The mutex
// is held.
func (l *lane) shares(size int, now time.Time) (shares map[*queue]int, alone bool) {
	shares = make(map[*queue]int, len(l.queues))
	hungry := make([]*queue, 0, len(l.queues))
	ready := make(map[*queue]int, len(l.queues))
	var try *queue
	others := false
	for i := range l.queues {
		q := l.queues[(l.turn+i)%len(l.queues)]
		ready[q] = q.ready(now)
		switch {
		case ready[q] == 0:
			others = others || l.gapDue(q, now)
		case !q.wait.waiting():
			others = true
			hungry = append(hungry, q)
		case try == nil || q.wait.retry.Before(try.wait.retry):
			try = q
		}
	}
	if try != nil && (!others || l.turn%2 == 0) {
		shares[try] = min(ready[try], size)
		return shares, true
	}
	for size > 0 && len(hungry) > 0 {
		share := max(size/len(hungry), 1)
		rest := hungry[:0]
		for _, q := range hungry {
			n := min(share, ready[q]-shares[q], size)
			shares[q] += n
			size -= n
			if shares[q] < ready[q] && size > 0 {
				rest = append(rest, q)
			}
		}
		hungry = rest
	}
	return shares, false
}

// within counts how many of the queue's first n records fit into room bytes; the
// first of a batch always fits. The mutex is held.
func (q *queue) within(n int, room int64, first bool) int {
	fit := sort.Search(n, func(i int) bool { return q.records.Size(i+1) > room })
	if first {
		fit = max(fit, min(n, 1))
	}
	return fit
}

// all gives the lane's queues as they are now.
func (l *lane) all() []*queue {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.queues)
}

// claims counts the lane's queues.
func (l *lane) claims() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queues)
}

// holds is what all queued records of the lane hold of the budget.
func (l *lane) holds() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// settle waits until no transaction of the queue's claim is under way.
func (l *lane) settle(ctx context.Context, q *queue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.writing[q.stint] {
		quiet := l.quiet
		l.mu.Unlock()
		select {
		case <-quiet:
		case <-ctx.Done():
		}
		l.mu.Lock()
		if ctx.Err() != nil {
			return
		}
	}
}
