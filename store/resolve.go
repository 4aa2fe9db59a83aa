package store

import (
	"context"
	"log/slog"
	"slices"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
)

// outcome is what became of a transaction whose COMMIT had no answer.
type outcome int

const (
	landed outcome = iota
	lost
	fenced
	// again: nothing tells, and the batch is applied once more.
	again
)

// String names the outcome as the metric does.
func (o outcome) String() string { return [...]string{"landed", "lost", "fenced", "again"}[o] }

// settled finds out what became of the batch whose COMMIT had no answer. done
// tells that b is that batch and has landed; an error, that it is not to be
// applied, or that the answer cannot be had yet.
//
// Without this a retry would be refused by the compare-and-set where the first
// attempt had landed: safe, but the writer would drop and claim anew.
func (l *lane) settled(ctx context.Context, b *sinkd.Batch) (done bool, err error) {
	if l.store.cfg.Idempotent {
		return false, l.outlive(ctx)
	}
	what, err := l.resolve(ctx)
	if err != nil {
		l.clean(ctx)
		return false, err
	}
	unknown := l.unknown
	same := covers(unknown, b.Ranges)
	l.unknown = nil
	l.store.cfg.Metrics.commitUnknown.WithLabelValues(what.String()).Inc()
	l.store.cfg.Logger.Info("COMMIT without an answer was resolved", slog.String("resolved", what.String()))
	if !same || what == lost {
		return false, nil
	}
	if what == landed {
		recount(b, unknown)
		return true, nil
	}
	e := &sinkd.Error{Class: sinkd.Fenced}
	for _, r := range b.Ranges {
		e.Lost = append(e.Lost, r.Claim)
	}
	return false, e
}

// resolve reads the position rows under lock on a new session: that waits for
// the end of the old backend, however it ends, so the answer is final.
func (l *lane) resolve(ctx context.Context) (outcome, error) {
	if err := l.connect(ctx); err != nil {
		return fenced, Classify(err)
	}
	stop := l.store.endBlockers(ctx, pidOf(l.conn))
	c := columnsOf(l.unknown)
	results, err := l.exchange(ctx, request{sql: lockSQL, args: []any{l.store.cfg.Pipeline, c.topic, c.partition}})
	stop()
	if err != nil {
		return fenced, l.store.classifyOwn(err)
	}
	for _, row := range results[0].Rows {
		r := l.unknown[int64Of(row[0])-1]
		token, next := uuid.UUID(row[1]), int64Of(row[2])
		if token != r.Claim.Token {
			continue // another's by now; it says nothing about the batch
		}
		// The ranges share the transaction: one row that is still ours decides.
		switch next {
		case r.Until:
			return landed, nil
		case r.From:
			return lost, nil
		}
		return fenced, nil
	}
	return fenced, nil
}

// positionsOf keeps what a batch does to positions, and what it skipped,
// without its records: the caller may use those again, or let go of them.
func positionsOf(ranges []sinkd.Range, skipped []int) []sinkd.Range {
	out := make([]sinkd.Range, len(ranges))
	for i, r := range ranges {
		out[i] = sinkd.Range{Claim: r.Claim, From: r.From, Until: r.Until, Count: sinkd.Count{Skipped: skipped[i]}}
	}
	return out
}

// recount takes what was skipped from the rows of the batch that has landed.
func recount(b *sinkd.Batch, landed []sinkd.Range) {
	for i := range b.Ranges {
		for _, r := range landed {
			if r.Claim.Token == b.Ranges[i].Claim.Token {
				b.Ranges[i].Count.Rows -= r.Count.Skipped
				b.Ranges[i].Count.Skipped += r.Count.Skipped
				b.Ranges[i].Count.Refused += r.Count.Skipped
			}
		}
	}
}

// covers tells whether all of the ranges were in the batch whose COMMIT had no
// answer: partitions may have been given up since.
func covers(unknown, ranges []sinkd.Range) bool {
	for _, r := range ranges {
		if !slices.ContainsFunc(unknown, func(u sinkd.Range) bool {
			return u.Claim.Token == r.Claim.Token && u.From == r.From && u.Until == r.Until
		}) {
			return false
		}
	}
	return true
}
