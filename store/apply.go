package store

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sinkd/sinkd"
)

// attempts is how often a batch is tried in one call where its COMMIT is lost
// each time; beyond that the caller waits first.
const attempts = 2

// errUnknown tells that a COMMIT had no answer.
var errUnknown = errors.New("COMMIT without an answer")

// errSessionLost tells that a session ended before its transaction was rolled
// back, which the server has done by then.
var errSessionLost = errors.New("the session was lost before ROLLBACK was answered")

// apply applies the batch, after finding out what became of an earlier one
// whose COMMIT had no answer.
func (l *lane) apply(ctx context.Context, b *sinkd.Batch) error {
	if err := l.store.refuseBad(b); err != nil {
		return err
	}
	for range attempts {
		if l.unknown != nil {
			if done, err := l.settled(ctx, b); done || err != nil {
				return err
			}
		}
		err := l.attempt(ctx, b)
		if !errors.Is(err, errUnknown) {
			return err
		}
		l.store.cfg.Logger.Warn("COMMIT without an answer", slog.Any("batch", b.ID))
	}
	return Classify(errUnknown)
}

// attempt is one transaction, and another where a quicker way failed that was
// tried in hope.
func (l *lane) attempt(ctx context.Context, b *sinkd.Batch) error {
	if err := l.connect(ctx); err != nil {
		return Classify(err)
	}
	t := &transaction{lane: l, batch: b}
	if l.store.cfg.Idempotent {
		// No claim has ended a predecessor that is stalled inside its COPY.
		defer l.store.endBlockers(ctx, pidOf(l.conn))()
	}
	for {
		t.loads = l.choose(l.loads(b))
		err := t.run(ctx)
		if err == nil {
			l.used = time.Now()
			l.chosen(t.loads)
			return nil
		}
		l.clean(ctx)
		if t.held == nil {
			return t.failed(ctx, err)
		}
		l.postpone(t.held)
		t.held = nil
		if l.conn == nil {
			return Classify(errSessionLost)
		}
	}
}

// failed finds out what the refusal of a transaction that was rolled back means.
func (t *transaction) failed(ctx context.Context, err error) error {
	e, ok := errors.AsType[*sinkd.Error](err)
	if !ok {
		return err
	}
	// One that is certain among others lands with them, in a transaction that
	// asks the same.
	if !e.Certain || t.batch.Records() == 1 {
		if changed := t.mistaken(ctx, e); changed != nil {
			e = changed
		}
	}
	if e.Class == sinkd.Schema {
		t.drop() // what the session read of tables, and made for them, is not true any more
		return e
	}
	t.blame(ctx, e)
	if t.sift(ctx, e); len(e.Dead) == 0 {
		t.locate(ctx, e)
	}
	return e
}

// transaction is one attempt to apply a batch.
type transaction struct {
	*lane
	batch *sinkd.Batch
	loads []*load
	// held is the load that has to go a slower way than the one that was tried.
	held *load
}

// run is the transaction. Its order is the same for every mode: the position
// rows first, so that a fenced writer writes nothing; then rows and dead
// letters; ledger and COMMIT last. All of it shares the transaction, because
// what lands apart from its position is lost or doubled by a crash in between.
func (t *transaction) run(ctx context.Context) error {
	t.batch.Timing = sinkd.Timing{}
	if err := t.ensure(ctx, t.batch, t.loads); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{t.begin, t.copy, t.finish} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin opens the transaction and moves the positions, where they are kept, in
// one round trip.
func (t *transaction) begin(ctx context.Context) error {
	if t.store.cfg.Idempotent {
		if _, err := t.exchange(ctx, request{sql: beginSQL}); err != nil {
			return Classify(err)
		}
		return nil
	}
	b := t.batch
	c := columnsOf(b.Ranges)
	pipeline := t.store.cfg.Pipeline
	results, err := t.exchange(ctx,
		request{sql: beginSQL},
		request{sql: lockSQL, args: []any{pipeline, c.topic, c.partition}},
		request{sql: moveSQL, args: []any{pipeline, c.topic, c.partition, c.from, c.until, c.epoch, c.claim}})
	if err != nil {
		return t.store.classifyOwn(err)
	}
	moved := results[len(results)-1].Rows
	if len(moved) == len(b.Ranges) {
		return nil
	}
	landed := make([]bool, len(b.Ranges))
	for _, row := range moved {
		landed[int64Of(row[0])-1] = true
	}
	e := &sinkd.Error{Class: sinkd.Fenced}
	for i, ok := range landed {
		if !ok {
			e.Lost = append(e.Lost, b.Ranges[i].Claim)
		}
	}
	return e
}
