package stream

import (
	"bytes"
	"strings"
	"time"

	"github.com/sinkd/sinkd"
)

// recordOverhead is what a record costs beside its key, value and headers:
// the client's structs and the pointers to them.
const recordOverhead = 400

// largeValue is the length of a value from which on a record gets memory of its
// own: as a part of what a fetch brought it would keep all of that, other
// partitions' records included, until it has landed.
const largeValue = 64 << 10

// detach copies all that the record has from what its fetch brought: a key of a
// few bytes that is left behind would keep as much as the value.
func detach(r *sinkd.Record) {
	r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
	for i := range r.Headers {
		h := &r.Headers[i]
		h.Key, h.Value = strings.Clone(h.Key), bytes.Clone(h.Value)
	}
}

// cost is what a record counts against the memory budget.
func cost(r *sinkd.Record) int64 {
	n := int64(len(r.Key)+len(r.Value)) + recordOverhead
	for i := range r.Headers {
		n += int64(len(r.Headers[i].Key) + len(r.Headers[i].Value))
	}
	return n
}

// queue holds the records of exactly one claim between the poller and its
// lane. A new claim gets a new queue; the old one and all that was built from
// it is dropped whole. The lane's mutex guards the fields below mu.
type queue struct {
	claim *sinkd.Claim
	lane  *lane
	born  time.Time

	// The poller's own.

	// verified tells that the first gap of the claim was seen to be real, or
	// that there was none.
	verified bool
	// held are records behind a gap that is not believed yet.
	held     []*sinkd.Record
	heldCost int64
	// active is when records came last, polls the poll that brought them.
	active time.Time
	polls  int
	// idleLooks counts the looks of our own that found a record where the
	// client brings none.
	idleLooks int
	// probing tells that a fetch of our own is under way.
	probing bool
	// throttled tells that the client does not fetch for this claim because it
	// holds too much of the budget.
	throttled bool

	// mu: the lane's.

	records []*sinkd.Record
	// bytes is what the queued records hold of the budget.
	bytes int64
	// taken is the Until of the last range that the lane took, tail the next
	// offset that the poller expects, landed the position in Postgres.
	taken, tail, landed int64
	epoch               int32
	// known is the last stable offset as it was listed or polled last.
	known int64
	// stint is the claim as the ranges carry it: a copy that is made anew where
	// some of them were put back, so that what was built from them is lost.
	stint *sinkd.Claim
	rate  allowance
	wait  patience
	// closed tells that the lane takes nothing more: the partition is being
	// given up. dropped tells that nothing of it may be written any more.
	closed, dropped bool
	// moved is when a range of the claim landed last, written the timestamp of
	// the last record in it.
	moved, written time.Time
	// head is the timestamp of the oldest record under way, or earlier; clear
	// when nothing was left to read.
	head, clear time.Time
	// backlog tells that there was something to read when the claim was made.
	backlog bool
}

func newQueue(c *sinkd.Claim, l *lane, end int64) *queue {
	now := time.Now()
	return &queue{
		claim: c, lane: l, born: now, active: now,
		taken: c.Next, tail: c.Next, landed: c.Next, epoch: c.Epoch, known: end,
		stint: c, clear: now, backlog: end > c.Next,
	}
}

// fresh cuts off what lies below the queue's tail.
func (q *queue) fresh(recs []*sinkd.Record) []*sinkd.Record {
	for len(recs) > 0 && recs[0].Offset < q.tail {
		recs = recs[1:]
	}
	return recs
}

// push adds records in offset order; markers only move the tail. It answers
// how many data records there were, and what they cost.
func (q *queue) push(recs []*sinkd.Record) (n int, sum int64) {
	last := recs[len(recs)-1]
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	if q.dropped {
		return 0, 0
	}
	before := len(q.records)
	for _, r := range recs {
		if !r.Attrs.IsControl() {
			if len(r.Value) >= largeValue {
				detach(r)
			}
			sum += cost(r)
			q.records = append(q.records, r)
		}
	}
	q.lane.count(len(q.records)-before, sum)
	q.tail, q.epoch = last.Offset+1, last.LeaderEpoch
	q.bytes += sum
	q.lane.poke()
	return len(q.records) - before, sum
}

// skipTo moves the tail over offsets that hold nothing.
func (q *queue) skipTo(next int64) {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	if next > q.tail {
		q.tail = next
		q.lane.poke()
	}
}

// ready counts the records that may be taken now. The lane's mutex is held.
func (q *queue) ready(now time.Time) int {
	if q.closed || q.wait.retry.After(now) {
		return 0
	}
	return q.rate.admits(q.wait.takes(len(q.records)), now)
}

// readyAt is when records may be taken, of a queue that has some. The lane's
// mutex is held.
func (q *queue) readyAt(now time.Time) time.Time {
	if at := q.rate.next(now); at.After(q.wait.retry) {
		return at
	}
	return q.wait.retry
}

// waiting is since when the queue waits for a row that is missing, nil where it
// does not.
func (q *queue) waiting() *time.Time {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	if !q.wait.waiting() {
		return nil
	}
	since := q.wait.since
	return &since
}

// glut tells that the client need not fetch for the queue: it has more than it
// may land soon.
func (q *queue) glut() bool {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	return q.wait.long() || q.rate.glut(len(q.records))
}

// take cuts a range of at most n records off the queue; with the last record
// go the markers behind it. The lane's mutex is held.
func (q *queue) take(n int) sinkd.Range {
	r := sinkd.Range{Claim: q.stint, From: q.taken, Until: q.tail, Epoch: q.epoch}
	if n < len(q.records) {
		r.Records, q.records = q.records[:n:n], q.records[n:]
		last := r.Records[n-1]
		r.Until, r.Epoch = last.Offset+1, last.LeaderEpoch
	} else {
		r.Records, q.records = q.records, nil
	}
	if q.taken == q.landed && len(r.Records) > 0 {
		q.head = r.Records[0].Timestamp
	}
	q.taken = r.Until
	q.rate.spend(len(r.Records))
	return r
}

// progress is how far a claim has come.
type progress struct {
	landed, known int64
	// oldest is the timestamp of the oldest record that is not yet written; where
	// none was read, when there was none last.
	oldest time.Time
}

func (q *queue) progress() progress {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	p := progress{landed: q.landed, known: max(q.known, q.tail)}
	switch {
	case p.known <= p.landed:
		q.clear = time.Now()
		p.oldest = q.clear
	case q.taken > q.landed && !q.head.IsZero():
		p.oldest = q.head
	case len(q.records) > 0:
		p.oldest = q.records[0].Timestamp
	default:
		p.oldest = later(q.written, q.clear)
	}
	return p
}

// close makes the lane take nothing more from the queue; it answers whether
// the lane did until now.
func (q *queue) close() bool {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	was := !q.closed
	q.closed = true
	return was
}

// gone tells that nothing of the queue may be written any more.
func (q *queue) gone() bool {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	return q.closed
}

// position is the next offset that is not yet in Postgres.
func (q *queue) position() int64 {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	return q.landed
}

// rest gives the last stable offset as far as it is known, and tells whether the
// lane has taken all that was read.
func (q *queue) rest() (end int64, idle bool) {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	return q.known, q.taken == q.tail
}
