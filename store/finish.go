package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// finish lets staged rows enter their tables, writes dead letters and ledger,
// and commits: in one round trip, where nothing has to be known before the
// COMMIT.
func (t *transaction) finish(ctx context.Context) error {
	start := time.Now()
	var merged time.Time
	requests, err := t.merge(ctx)
	if err != nil {
		return err
	}
	if len(requests) > 0 {
		requests[len(requests)-1].at = &merged
	}
	if requests, err = t.settleCounts(ctx, requests); err != nil {
		return err
	}
	err = t.commit(ctx, requests)
	if merged.IsZero() {
		merged = start
	}
	t.batch.Timing.Merge, t.batch.Timing.Commit = merged.Sub(start), time.Since(merged)
	return err
}

// merge gives the statements that let the staged rows in. Where rows are
// folded by Postgres and their lists of columns have to be known first, what
// comes before is run.
func (t *transaction) merge(ctx context.Context) ([]request, error) {
	var requests []request
	answers := make(map[*load]int)
	for _, ld := range t.loads {
		if ld.shape == nil {
			continue
		}
		requests = append(requests, ld.remove()...)
		if ld.folded != nil {
			requests = append(requests, ld.fold()...)
		}
		if ld.asks() {
			answers[ld] = len(requests)
			requests = append(requests, ld.census())
		}
	}
	var results []*pgconn.Result
	if len(answers) > 0 {
		var err error
		if results, err = t.ask(ctx, requests); err != nil {
			return nil, err
		}
		requests = nil
	}
	for _, ld := range t.loads {
		switch at, asked := answers[ld]; {
		case ld.shape == nil:
		case asked:
			requests = append(requests, ld.write(ld.foldedLists(results[at]))...)
		case ld.folded != nil:
			requests = append(requests, ld.write(ld.foldedLists(nil))...)
		default:
			requests = append(requests, ld.write(ld.lists(sinkd.Write))...)
		}
	}
	return requests, nil
}

// ask runs statements whose answers are needed, and notes what they count.
func (t *transaction) ask(ctx context.Context, requests []request) ([]*pgconn.Result, error) {
	results, err := t.exchange(ctx, requests...)
	if err == nil {
		tell(requests, results)
		return results, nil
	}
	if e, ok := errors.AsType[*sinkd.Error](err); ok {
		return nil, e
	}
	return nil, t.refused(err, requests, results)
}

// refused explains the error of the statement behind the last that was
// answered.
func (t *transaction) refused(err error, requests []request, results []*pgconn.Result) error {
	if len(results) >= len(requests) {
		return Classify(err)
	}
	switch r := requests[len(results)]; {
	case r.sql == sameSQL && drifted(err):
		return r.load.changedErr(t.batch)
	case r.load != nil:
		if r.load.merged && unmerged(err) {
			t.held = r.load
		}
		return t.explain(err, r.load, nil)
	case r.sql == commitSQL: // a deferred constraint, say
		return t.store.classify(err)
	}
	return t.store.classifyOwn(err)
}

// settleCounts runs the statements where the ledger depends on what they
// count, or the COMMIT on how many dead letters there are, and gives those that
// are left to run.
func (t *transaction) settleCounts(ctx context.Context, requests []request) ([]request, error) {
	if t.store.cfg.Idempotent {
		return requests, nil // there is no ledger; what is counted is told after the COMMIT
	}
	counts := len(t.batch.Dead) > 0
	for _, r := range requests {
		counts = counts || r.sense != 0
	}
	if !counts {
		return requests, nil
	}
	merges := len(requests)
	results, err := t.ask(ctx, append(requests, t.bury(t.batch)...))
	if err != nil {
		return nil, err
	}
	return nil, t.buried(t.batch, results[merges:])
}

// commit writes the ledger and commits, in one round trip with the statements
// that are left. It answers errUnknown where no answer came: then the
// transaction may have landed.
func (t *transaction) commit(ctx context.Context, requests []request) error {
	skipped := t.skipped()
	for _, ld := range t.loads {
		requests = append(requests, ld.same(false))
	}
	if !t.store.cfg.Idempotent {
		requests = append(requests, request{sql: ledgerSQL, args: ledgerArgs(t.store, t.batch, skipped)})
	}
	requests = append(requests, request{sql: commitSQL})
	results, err := t.exchange(ctx, requests...)
	if len(results) == len(requests) {
		if tag := results[len(results)-1].CommandTag.String(); tag != "COMMIT" {
			return &sinkd.Error{Class: sinkd.Transient, Err: fmt.Errorf("the server answered %s to COMMIT", tag)}
		}
		if t.store.cfg.Idempotent {
			tell(requests, results)
			skipped = t.skipped()
		}
		recount(t.batch, positionsOf(t.batch.Ranges, skipped))
		return nil
	}
	if e, ok := errors.AsType[*sinkd.Error](err); ok {
		return e
	}
	if _, answered := errors.AsType[*pgconn.PgError](err); !answered || t.conn.IsClosed() {
		t.unknown, t.orphan = positionsOf(t.batch.Ranges, skipped), pidOf(t.conn)
		return errUnknown
	}
	return t.refused(err, requests, results)
}
