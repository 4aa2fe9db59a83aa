package stream

import (
	"context"
	"errors"

	"github.com/sinkd/sinkd"
)

// Rehearsal lands one batch as a lane would, where nothing that it writes is
// kept: what Postgres refuses is split until the records to blame stand alone.
// Nothing is waited for, and nothing is created.
type Rehearsal struct {
	Encoder Encoder
	// Apply writes a batch on top of those before.
	Apply func(ctx context.Context, b *sinkd.Batch) error
	// Landed is told of each part of the batch that was written, with its rows.
	Landed func(ctx context.Context, b *sinkd.Batch) error
	// Dead are the dead letters, Count what became of the records.
	Dead  []sinkd.DeadLetter
	Count sinkd.Count
}

// errLacking tells that the encoder was not given all that the batch needs.
var errLacking = errors.New("the encoder lacks a table")

// Land fails with the error that would keep the batch from landing.
func (r *Rehearsal) Land(ctx context.Context, b *sinkd.Batch) error {
	defer r.Encoder.Recycle(b)
	if needs := r.Encoder.Encode(b); len(needs) > 0 {
		return errLacking
	}
	err := r.Apply(ctx, b)
	if err == nil {
		r.landed(b)
		return r.Landed(ctx, b)
	}
	e := classified(err)
	if e.Class != sinkd.Data && !e.Split {
		return err
	}
	parts := b.Split(e.Record)
	if parts == nil {
		return r.bury(b, e)
	}
	r.Encoder.Recycle(b)
	for _, part := range parts {
		if err := r.Land(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rehearsal) landed(b *sinkd.Batch) {
	r.Dead = append(r.Dead, b.Dead...)
	for i := range b.Ranges {
		c := &b.Ranges[i].Count
		r.Count.Rows += c.Rows
		r.Count.Skipped += c.Skipped
		r.Count.Dead += c.Dead
	}
}

// bury notes the only record of a batch as refused for its data.
func (r *Rehearsal) bury(b *sinkd.Batch, e *sinkd.Error) error {
	if e.Class != sinkd.Data {
		return e
	}
	for i := range b.Ranges {
		if records := b.Ranges[i].Records; records.Len() > 0 {
			rec := records.At(0)
			r.Dead = append(r.Dead, sinkd.DeadLetter{Record: rec, Stage: "write", Reason: e.Err.Error(), SQLState: e.SQLState})
			r.Count.Dead++
		}
	}
	return nil
}
