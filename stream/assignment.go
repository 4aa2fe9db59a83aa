package stream

import (
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
)

// phase is the state of an assigned partition; doc.go has the diagram.
type phase string

const (
	// claiming: the claim is asked for, or will be once more.
	claiming phase = "claiming"
	// running: a claim holds, its queue is open.
	running phase = "running"
	// halted: an incident stopped the partition until a person acts.
	halted phase = "halted"
	// paused: an operator stopped the partition.
	paused phase = "paused"
)

// part is one assigned partition.
type part struct {
	sinkd.Partition
	// tenure numbers the assignments of this process: what was begun under an
	// older one is dropped.
	tenure uint64
	phase  phase
	// queue is that of the claim that holds; nil unless running.
	queue *queue
	// token is that of the claim that held last.
	token uuid.UUID
	// topicID is what the claim was checked against.
	topicID uuid.UUID
	// next and known are position and last stable offset as they were read last
	// while there was no claim.
	next, known int64
	// placed tells that next was read.
	placed bool
	// oldest is the timestamp of the oldest record that is not yet written, or
	// since when the partition is assigned, while there is no claim.
	oldest time.Time
	// start is the first offset that Kafka held when it was listed last.
	start int64
}

// assignment is what the consumer group gave to this process.
type assignment struct {
	mu     sync.Mutex
	tenure uint64
	parts  map[sinkd.Partition]*part
}

// add begins a tenure for each of the partitions.
func (a *assignment) add(ps []sinkd.Partition) []*part {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]*part, len(ps))
	for i, p := range ps {
		a.tenure++
		out[i] = &part{Partition: p, tenure: a.tenure, phase: claiming, oldest: time.Now()}
		a.parts[p] = out[i]
	}
	return out
}

// remove ends the tenure of the partitions and answers them as they were.
func (a *assignment) remove(ps []sinkd.Partition) []*part {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []*part
	for _, p := range ps {
		if pt := a.parts[p]; pt != nil {
			out = append(out, pt)
			delete(a.parts, p)
		}
	}
	return out
}

// holds tells whether the part is still this process's, in the same tenure.
func (a *assignment) holds(pt *part) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.parts[pt.Partition] == pt
}

// has tells whether the partition is assigned.
func (a *assignment) has(p sinkd.Partition) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.parts[p] != nil
}

// latest tells whether the claim is the last one of a partition that is this
// process's. What it has landed is the partition's position, also where it was
// halted since.
func (a *assignment) latest(t tenancy) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	pt := a.parts[t.Partition]
	return pt != nil && pt.token == t.token
}

// place notes a position that was read of a partition without a claim.
func (a *assignment) place(p sinkd.Partition, next int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if pt := a.parts[p]; pt != nil {
		pt.next, pt.placed = next, true
	}
}

// extend notes the bounds of the log that were listed.
func (a *assignment) extend(p sinkd.Partition, b bounds) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if pt := a.parts[p]; pt != nil {
		pt.known, pt.start = max(pt.known, b.stable), b.start
	}
}

// progress is how far the partition has come, with or without a claim.
func (pt *part) progress() progress {
	if pt.queue != nil {
		return pt.queue.progress()
	}
	return progress{landed: pt.next, known: max(pt.known, pt.next), oldest: pt.oldest}
}

// open publishes the new queue of a claim, in the lane with the fewest. It
// answers nil where the tenure has ended.
func (a *assignment) open(pt *part, ok *claimed, lanes []*lane) *queue {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.parts[pt.Partition] != pt || pt.queue != nil {
		return nil
	}
	pt.queue = fewest(lanes).open(ok)
	pt.token = ok.claim.Token
	pt.phase, pt.topicID, pt.known = running, ok.topicID, ok.end
	return pt.queue
}

// close takes the queue of a claim off the partition and gives it a new phase;
// nil where the claim is not the partition's any more.
func (a *assignment) close(c *sinkd.Claim, to phase) (*part, *queue) {
	a.mu.Lock()
	defer a.mu.Unlock()
	pt := a.parts[c.Partition]
	if pt == nil || pt.queue == nil || pt.queue.claim.Token != c.Token {
		return nil, nil
	}
	q := pt.queue
	at := q.progress()
	pt.next, pt.placed, pt.oldest = at.landed, true, at.oldest
	pt.queue, pt.phase = nil, to
	return pt, q
}

// set changes the phase of a partition that has no claim.
func (a *assignment) set(pt *part, to phase) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if pt.queue == nil {
		pt.phase = to
	}
}

// all gives a copy of each assigned partition.
func (a *assignment) all() []part {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]part, 0, len(a.parts))
	for _, pt := range a.parts {
		out = append(out, *pt)
	}
	return out
}

// queues gives those of the claims that hold, in the order of their partitions.
func (a *assignment) queues() []*queue {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []*queue
	for _, pt := range a.parts {
		if pt.queue != nil {
			out = append(out, pt.queue)
		}
	}
	slices.SortFunc(out, func(x, y *queue) int { return x.claim.Compare(y.claim.Partition) })
	return out
}

// fewest gives the lane with the fewest claims.
func fewest(lanes []*lane) *lane {
	best, least := lanes[0], -1
	for _, l := range lanes {
		l.mu.Lock()
		n := len(l.queues)
		l.mu.Unlock()
		if least < 0 || n < least {
			best, least = l, n
		}
	}
	return best
}
