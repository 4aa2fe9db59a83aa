package stream

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sinkd/sinkd"
)

// gapInterval is the least time between two ranges of a partition that hold no
// records.
const gapInterval = time.Second

// closing is how long the builder lets pass where queues are being given up.
const closing = 10 * time.Millisecond

// build takes batches from the lane's queues, encodes them and hands them to
// the applier, until the context ends or the lane is drained.
func (l *lane) build(ctx context.Context, out chan<- *flight) {
	defer close(out)
	l.foresee(ctx)
	for {
		fl := l.next(ctx)
		if fl == nil {
			return
		}
		l.working(laneBuilding)
		// What goes wrong here is met again, and dealt with, by the applier.
		fl.encoded = l.encode(ctx, fl.batch) == nil
		select {
		case out <- fl:
		case <-ctx.Done():
			l.finish(fl)
			return
		}
	}
}

// foreseen bounds the tables that are read before there is a record for them.
const foreseen = 4

// foresee gives the encoder the tables of the topics that are named and there,
// while the group is joined, where they are few. What cannot be had is met again
// with the first record.
func (l *lane) foresee(ctx context.Context) {
	topics := l.flow.cfg.Topics
	if len(topics) > foreseen {
		return
	}
	for _, t := range topics {
		if l.flow.present[t] && l.supplyOne(ctx, sinkd.Need{Topic: t}) != nil {
			return
		}
	}
}

// next waits until a batch is due and takes it; nil = the lane has ended.
func (l *lane) next(ctx context.Context) *flight {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	started := time.Now()
	for {
		l.mu.Lock()
		due, at := l.due(time.Now())
		if due {
			if fl := l.cut(); fl != nil {
				l.mu.Unlock()
				poke(l.flow.budget.freed)
				fl.batch.Waited = time.Since(started)
				l.flow.metrics.stage("wait", fl.batch.Waited)
				return fl
			}
			at = time.Now().Add(closing) // All that is queued is being given up.
		}
		if l.draining && len(l.flights) == 0 { // What is not due yet is left in Kafka.
			l.mu.Unlock()
			return nil
		}
		l.mu.Unlock()
		timer.Reset(time.Until(at))
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		case <-timer.C:
		}
	}
}

// working notes that the lane builds, where it does not write at the same time.
func (l *lane) working(s laneState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == laneIdle {
		l.setState(s)
	}
}

// due tells whether a batch is to be taken now, or else when to look again: at
// once where a whole batch is queued, or all that there will be; otherwise when
// nothing is under way and the interval since the last commit has passed. The
// mutex is held.
func (l *lane) due(now time.Time) (bool, time.Time) {
	never := now.Add(time.Hour)
	if l.full(now) {
		return true, now
	}
	if len(l.flights) > 0 && !l.aimed() {
		return false, never
	}
	at, calm := never, l.calm(now)
	for _, q := range l.queues {
		switch {
		case q.closed:
		case q.records.Len() > 0:
			at = earlier(at, later(calm, q.readyAt(now)))
		case q.tail > q.taken:
			at = earlier(at, l.gapAt(q))
		}
	}
	return !at.After(now), at
}

// calm is when a batch that is not full may be taken. The mutex is held.
func (l *lane) calm(now time.Time) time.Time {
	if l.draining || l.aimed() {
		return now
	}
	return l.ended.Add(l.flow.cfg.BatchInterval)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// aimed tells that the queues hold all that the flow was asked to catch up
// with, and may give it: there is nothing to wait for. The mutex is held.
func (l *lane) aimed() bool {
	if !l.flow.cfg.UntilCaughtUp || l.flow.cfg.MaxRate > 0 {
		return false
	}
	return !slices.ContainsFunc(l.queues, func(q *queue) bool { return q.tail < l.flow.caught.targets[q.claim.Partition] })
}

// gapAt is when the queue's range without records may land.
func (l *lane) gapAt(q *queue) time.Time {
	if l.draining || l.flow.cfg.UntilCaughtUp {
		return time.Time{}
	}
	return q.moved.Add(gapInterval)
}

// gapDue tells that the queue has a range without records to give.
func (l *lane) gapDue(q *queue, now time.Time) bool {
	return !q.closed && q.records.Len() == 0 && q.tail > q.taken && !l.gapAt(q).After(now)
}

// maxNeeds is how often an encoder may lack something for one batch: the table,
// then columns of it; more often where others change the table meanwhile.
const maxNeeds = 5

// errRestless tells that a table changes faster than it is read.
var errRestless = errors.New("columns that were added to the table are gone again")

// encode makes the batch's rows, supplying the encoder with the tables and
// columns that it lacks. It fails with a *sinkd.Error where one cannot be had.
func (l *lane) encode(ctx context.Context, b *sinkd.Batch) error {
	started := time.Now()
	for range maxNeeds {
		l.encoding.Lock()
		needs := l.encoder.Encode(b)
		l.encoding.Unlock()
		if len(needs) == 0 {
			b.Built = time.Since(started)
			l.flow.metrics.stage("build", b.Built)
			l.flow.budget.add(buffers(b))
			return nil
		}
		if err := l.supply(ctx, needs); err != nil {
			return err
		}
	}
	return &sinkd.Error{Class: sinkd.Transient, Err: errRestless}
}

// recycle gives a batch's buffers back.
func (l *lane) recycle(b *sinkd.Batch) {
	l.flow.budget.add(-buffers(b))
	l.encoding.Lock()
	defer l.encoding.Unlock()
	l.encoder.Recycle(b)
	b.Rows, b.Dead = nil, nil
}

// buffers is what the batch's encoded rows hold of the budget.
func buffers(b *sinkd.Batch) int64 {
	var sum int64
	for i := range b.Rows {
		sum += int64(len(b.Rows[i].Buf))
	}
	return sum
}

// supply reads the tables that the encoder lacks, with the columns that are
// added to them where it asks for some.
func (l *lane) supply(ctx context.Context, needs []sinkd.Need) error {
	for _, n := range needs {
		if err := l.supplyOne(ctx, n); err != nil {
			return l.ofTopic(err, n.Topic)
		}
	}
	return nil
}

func (l *lane) supplyOne(ctx context.Context, n sinkd.Need) error {
	if len(n.Columns) > 0 {
		if err := l.flow.cfg.Catalog.Extend(ctx, n.Topic, n.Columns); err != nil {
			return err
		}
	}
	t, err := l.flow.cfg.Catalog.Table(ctx, n.Topic)
	if err != nil {
		return err
	}
	l.flow.metrics.table(t)
	l.encoding.Lock()
	defer l.encoding.Unlock()
	return l.encoder.Supply(n.Topic, t)
}

// ofTopic limits an error that names no topic to the one that it came from.
func (l *lane) ofTopic(err error, topic string) error {
	var e *sinkd.Error
	if !errors.As(err, &e) {
		return &sinkd.Error{Class: sinkd.Transient, Topic: topic, Err: err}
	}
	if e.Topic != "" {
		return err
	}
	limited := *e
	limited.Topic = topic
	return &limited
}
