package stream

import (
	"time"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
)

// recordOverhead is what a record costs beside the memory of its chunk: its place
// among the rows of its batch, and in the table of keys.
const recordOverhead = 24

// cost is what the first n records count against the memory budget.
func cost(r sinkd.Records, n int) int64 { return r.Held(n) + int64(n)*recordOverhead }

// queue holds the records of exactly one claim between the fetcher and its lane.
// A new claim gets a new queue; the old one and all that was built from it is
// dropped whole. The lane's mutex guards the fields below mu.
type queue struct {
	claim *sinkd.Claim
	lane  *lane
	born  time.Time
	// topicID is what the claim was checked against.
	topicID uuid.UUID
	cursor  cursor

	// mu: the lane's.

	records sinkd.Records
	// held is what the queued records hold of the budget.
	held int64
	// taken is the Until of the last range that the lane took, tail the offset to
	// be read next, landed the position in Postgres.
	taken, tail, landed int64
	// epoch is the leader epoch of what was read last, -1 if unknown.
	epoch int32
	// known is the last stable offset as it was listed or read last.
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

func newQueue(ok *claimed, l *lane) *queue {
	now, c := time.Now(), ok.claim
	return &queue{
		claim: c, lane: l, born: now, topicID: ok.topicID, cursor: cursor{follower: -1, checked: -1},
		taken: c.Next, tail: c.Next, landed: c.Next, epoch: c.Epoch, known: ok.end,
		stint: c, clear: now, backlog: ok.end > c.Next,
	}
}

// push adds what was read at an offset. It answers what the records hold of the
// budget: nothing where the queue is to be read elsewhere by now, or is no more.
func (q *queue) push(at int64, p *piece) (held int64) {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	if q.dropped || q.tail != at {
		return 0
	}
	q.known = max(q.known, p.stable)
	if p.next == at {
		return 0
	}
	n := p.records.Len()
	held = cost(p.records, n)
	q.lane.count(q, n, p.records.Size(n), held)
	q.records.Append(p.records)
	q.tail, q.epoch = p.next, p.epoch
	q.lane.poke()
	return held
}

// listed notes a last stable offset that was listed apart from what was read.
func (q *queue) listed(stable int64) {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	q.known = max(q.known, stable)
}

// ready counts the records that may be taken now. The lane's mutex is held.
func (q *queue) ready(now time.Time) int {
	if q.closed || q.wait.retry.After(now) {
		return 0
	}
	return q.rate.admits(q.wait.takes(q.records.Len()), now)
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

// glut tells that nothing need be read for the queue: it has more than it may
// land soon. The lane's mutex is held.
func (q *queue) glut() bool { return q.wait.long() || q.rate.glut(q.records.Len()) }

// take cuts a range of at most n records off the queue; with the last record
// go the markers behind it. The lane's mutex is held.
func (q *queue) take(n int) sinkd.Range {
	r := sinkd.Range{Claim: q.stint, From: q.taken, Until: q.tail, Epoch: q.epoch}
	if all := q.records.Len(); n < all {
		r.Records, q.records = q.records.Slice(0, n), q.records.Slice(n, all)
		r.Until, r.Epoch = r.Records.Offset(n-1)+1, r.Records.Epoch(n-1)
	} else {
		r.Records, q.records = q.records, sinkd.Records{}
	}
	n = r.Records.Len()
	if q.taken == q.landed && n > 0 {
		q.head = r.Records.Timestamp(0)
	}
	q.taken = r.Until
	q.rate.spend(n)
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
	case q.records.Len() > 0:
		p.oldest = q.records.Timestamp(0)
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

// position is the next offset that is not yet in Postgres.
func (q *queue) position() int64 {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	return q.landed
}

// landedAll tells that all that was read is in Postgres.
func (q *queue) landedAll() bool {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	return q.landed >= q.tail
}
