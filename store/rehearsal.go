package store

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// Rehearsal is one transaction in which batches are written as lanes write
// them, and which is rolled back in the end. Of the bookkeeping it touches
// nothing, and needs none to be there. It is used by one goroutine.
type Rehearsal struct {
	lane *lane
	// late tells that what is written comes after newer records, which it must
	// not overwrite.
	late bool
}

// Rehearse begins a rehearsal on a session of its own.
func (s *Store) Rehearse(ctx context.Context) (*Rehearsal, error) {
	r := &Rehearsal{lane: &lane{store: s, bare: true}}
	if err := r.lane.connect(ctx); err != nil {
		return nil, Classify(err)
	}
	if err := r.run(ctx, beginSQL); err != nil {
		r.Close(ctx)
		return nil, Classify(err)
	}
	return r, nil
}

// Close undoes everything and ends the session.
func (r *Rehearsal) Close(ctx context.Context) {
	r.lane.clean(ctx)
	r.lane.drop()
}

func (r *Rehearsal) run(ctx context.Context, sql string) error {
	ctx, cancel := r.lane.deadline(ctx, 1)
	defer cancel()
	_, err := r.lane.conn.Exec(ctx, sql).ReadAll()
	return err
}

// Apply writes the batch's rows, on top of those of earlier batches. Where it
// answers an error, which is a *sinkd.Error, nothing of the batch is there.
func (r *Rehearsal) Apply(ctx context.Context, b *sinkd.Batch) error {
	if err := r.run(ctx, `SAVEPOINT sinkd_part`); err != nil {
		return Classify(err)
	}
	t := &transaction{lane: r.lane, batch: b, loads: r.lane.loads(b)}
	if r.late {
		for _, ld := range t.loads {
			ld.comeLate(b)
		}
	}
	stages := len(r.lane.stages)
	err := r.attempt(ctx, t)
	if err == nil {
		if err := r.release(ctx); err != nil {
			return Classify(err)
		}
		return nil
	}
	if back := r.undo(ctx); back != nil {
		return Classify(back)
	}
	// What was made since the savepoint is gone, statements on it included.
	r.lane.stages, r.lane.shapes = r.lane.stages[:stages], nil
	r.lane.prepared = map[string]*pgconn.StatementDescription{sameSQL: r.lane.prepared[sameSQL]}
	t.blame(ctx, err)
	if back := r.undo(ctx); back != nil {
		return Classify(back)
	}
	if changed := t.mistaken(ctx, Classify(err)); changed != nil {
		err = changed
	}
	if back := r.undo(ctx); back != nil {
		return Classify(back)
	}
	return err
}

func (r *Rehearsal) undo(ctx context.Context) error {
	return r.run(ctx, `ROLLBACK TO SAVEPOINT sinkd_part`)
}

// release keeps the part, and empties the stages as its COMMIT would.
func (r *Rehearsal) release(ctx context.Context) error {
	sql := `RELEASE SAVEPOINT sinkd_part; SET CONSTRAINTS ALL DEFERRED`
	var stages []string
	for _, s := range r.lane.stages {
		stages = append(stages, s.name)
	}
	if len(stages) > 0 {
		sql += "; TRUNCATE " + strings.Join(stages, ", ")
	}
	return r.run(ctx, sql)
}

// attempt writes the rows, and has checked what a COMMIT would check.
func (r *Rehearsal) attempt(ctx context.Context, t *transaction) error {
	if err := t.ensure(ctx, t.batch, t.loads); err != nil {
		return err
	}
	if err := t.copy(ctx); err != nil {
		return err
	}
	requests, err := t.merge(ctx)
	if err != nil {
		return err
	}
	for _, ld := range t.loads {
		requests = append(requests, ld.same(false))
	}
	if len(requests) > 0 {
		if _, err := t.ask(ctx, requests); err != nil {
			return err
		}
	}
	if err := r.run(ctx, `SET CONSTRAINTS ALL IMMEDIATE`); err != nil {
		return t.store.classify(err)
	}
	recount(t.batch, positionsOf(t.batch.Ranges, t.skipped()))
	return nil
}
