package stream

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sinkd/sinkd"
)

// apply lands what the builder hands over, one batch after the other. It opens
// its session while the group is joined; where it cannot, the first batch does.
func (l *lane) apply(ctx context.Context, in <-chan *flight) {
	_ = l.flow.cfg.Store.Connect(ctx, l.id)
	for fl := range in {
		l.land(ctx, fl.batch, fl.encoded)
		l.flow.health.moved(l.id)
		l.finish(fl)
	}
}

// aloneAttempts is how often a single record is tried again that takes longer,
// or more memory, than a statement may; then a person is needed.
const aloneAttempts = 3

// land is the only policy for what can happen to a batch: encode, apply, then
// by the class of the error. It returns when all of the batch has landed, was
// lost or halted, or the context has ended.
func (l *lane) land(ctx context.Context, b *sinkd.Batch, encoded bool) {
	var wait backoff
	reread, alone := false, 0
	for ctx.Err() == nil {
		kept := b.Without(l.lost)
		if kept != b {
			l.recycle(b)
			b, encoded = kept, false
		}
		if b == nil {
			return
		}
		err := l.attempt(ctx, b, &encoded)
		if err == nil {
			l.landed(b)
			return
		}
		e := classified(err)
		l.flow.metrics.failed(e)
		b.SQLState = e.SQLState
		if e.Class == sinkd.Schema && !reread {
			if err = l.reread(ctx, b); err == nil {
				reread, encoded = true, false
				continue
			}
			e = classified(err) // what the catalog says names the fix
		}
		switch {
		case e.Class == sinkd.Fenced:
			l.flow.fenced(e.Lost)
		case e.Class == sinkd.Transient && e.Split && l.split(ctx, b, nil):
			return
		case e.Class == sinkd.Transient && e.Split && alone == aloneAttempts:
			l.flow.halt(ctx, b, e)
		case e.Class == sinkd.Transient:
			if e.Split {
				alone++
			}
			l.wait(ctx, e, wait.next())
		case l.postpone(b, e):
		case l.condemn(b, e):
		case e.Class == sinkd.Data && !l.split(ctx, b, e.Record):
			l.bury(b, e)
		case e.Class == sinkd.Data:
			return
		case e.Kind == sinkd.DeadLetterLimit:
			l.flow.pausePipeline(ctx, e)
		case e.Kind == sinkd.BadRecord && l.split(ctx, b, e.Record):
			return
		case e.Topic == "" && topics(b) > 1 && l.split(ctx, b, nil):
			return
		default:
			l.flow.halt(ctx, b, e)
		}
	}
	l.recycle(b)
}

// errMoved tells that a claim of the batch ended between the look and the
// transaction.
var errMoved = errors.New("a claim has ended")

// attempt encodes the batch where that is still to be done, and applies it.
func (l *lane) attempt(ctx context.Context, b *sinkd.Batch, encoded *bool) error {
	if !*encoded {
		l.recycle(b)
		if err := l.encode(ctx, b); err != nil {
			return err
		}
		*encoded = true
	}
	if !l.begin(b) {
		return &sinkd.Error{Class: sinkd.Fenced, Err: errMoved}
	}
	defer l.end()
	return l.flow.cfg.Store.Apply(ctx, l.id, b)
}

// classified gives the error's class; what was never classified is transient.
func classified(err error) *sinkd.Error {
	var e *sinkd.Error
	if errors.As(err, &e) {
		return e
	}
	return &sinkd.Error{Class: sinkd.Transient, Err: err}
}

// lost tells whether nothing may be written any more under the claim.
func (l *lane) lost(c *sinkd.Claim) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lostLocked(c)
}

func (l *lane) lostLocked(c *sinkd.Claim) bool {
	q := l.holder(c)
	return q == nil || q.closed
}

// begin marks the batch's claims as being written; it answers false where one
// of them was lost since.
func (l *lane) begin(b *sinkd.Batch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	writing := make(map[*sinkd.Claim]bool, len(b.Ranges))
	for i := range b.Ranges {
		if l.lostLocked(b.Ranges[i].Claim) {
			return false
		}
		writing[b.Ranges[i].Claim] = true
	}
	l.writing = writing
	l.setState(laneWriting)
	return true
}

// end marks the transaction as over.
func (l *lane) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing = nil
	close(l.quiet)
	l.quiet = make(chan struct{})
	l.setState(laneIdle)
}

// split lands the batch in parts; it answers false where the batch is a single
// record.
func (l *lane) split(ctx context.Context, b *sinkd.Batch, at *sinkd.Record) bool {
	parts := b.Split(at)
	if parts == nil {
		return false
	}
	l.recycle(b)
	l.flow.metrics.batches("split")
	l.mu.Lock()
	l.sizer.split()
	l.mu.Unlock()
	for _, part := range parts {
		part.SQLState = b.SQLState
		l.land(ctx, part, false)
	}
	return true
}

// condemn makes dead letters of records that Postgres would refuse alone as
// well, and the batch is tried again without their rows: of all that were found
// at once, or of the one that it named, where the batch is small. That costs less
// than to write alone what stands before it, and the record, and the rest.
func (l *lane) condemn(b *sinkd.Batch, e *sinkd.Error) bool {
	letters := e.Dead
	if len(letters) == 0 && e.Certain && e.Record != nil && b.Records() <= smallBatch {
		letters = []sinkd.DeadLetter{e.Letter(e.Record)}
	}
	gone := b.Bury(letters...)
	l.flow.budget.add(-int64(gone))
	return gone > 0
}

// bury makes the batch's one record a dead letter, for the reason that Postgres
// gave.
func (l *lane) bury(b *sinkd.Batch, e *sinkd.Error) {
	count := sinkd.Count{Dead: 1}
	l.recycle(b)
	for i := range b.Ranges {
		r := &b.Ranges[i]
		if r.Records.Len() == 0 {
			continue
		}
		count.Bytes, count.First, count.Last = r.Count.Bytes, r.Count.First, r.Count.Last
		r.Count = count
		b.Dead = append(b.Dead, e.Letter(r.Records.At(0)))
	}
}

// reread supplies the encoder with the tables as they are now.
func (l *lane) reread(ctx context.Context, b *sinkd.Batch) error {
	var needs []sinkd.Need
	for i := range b.Ranges {
		if t := b.Ranges[i].Claim.Topic; i == 0 || t != b.Ranges[i-1].Claim.Topic {
			needs = append(needs, sinkd.Need{Topic: t})
		}
	}
	return l.supply(ctx, needs)
}

// topics counts the batch's topics; its ranges are in order.
func topics(b *sinkd.Batch) int {
	n := 0
	for i := range b.Ranges {
		if i == 0 || b.Ranges[i].Claim.Topic != b.Ranges[i-1].Claim.Topic {
			n++
		}
	}
	return n
}

// wait lets a transient failure pass.
func (l *lane) wait(ctx context.Context, e *sinkd.Error, d time.Duration) {
	l.mu.Lock()
	l.setState(laneWaiting)
	l.mu.Unlock()
	l.flow.metrics.batches("retried")
	l.flow.health.retrying(l.id, e, d)
	sleep(ctx, d)
}

// landed moves the positions in memory after those in Postgres.
func (l *lane) landed(b *sinkd.Batch) {
	now := time.Now()
	var first []*sinkd.Claim
	l.mu.Lock()
	l.sizer.landed(b.Records(), b.Timing.Copy+b.Timing.Merge+b.Timing.Commit)
	for _, q := range l.queues {
		for i := range b.Ranges {
			if r := &b.Ranges[i]; r.Claim == q.stint {
				if q.moved.IsZero() && q.takenOver(now) {
					first = append(first, q.claim)
				}
				q.landed, q.moved = r.Until, now
				q.wait.landed()
				if !r.Count.Last.IsZero() {
					q.written, q.head = r.Count.Last, r.Count.Last
				}
			}
		}
	}
	l.mu.Unlock()
	l.flow.health.moved(l.id)
	l.flow.batchLanded(b)
	l.flow.handedOver(first)
	l.recycle(b)
}

// finish gives back what the flight held.
func (l *lane) finish(fl *flight) {
	l.mu.Lock()
	l.flights = slices.DeleteFunc(l.flights, func(f *flight) bool { return f == fl })
	l.ended = time.Now()
	cost := fl.cost
	l.poke()
	l.mu.Unlock()
	l.flow.budget.add(-cost)
}

// setState notes what the lane does; the mutex is held.
func (l *lane) setState(s laneState) { l.state, l.since = s, time.Now() }
