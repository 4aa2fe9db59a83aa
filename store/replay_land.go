package store

import (
	"context"

	"github.com/sinkd/sinkd"
)

// settle lets the batch's records have their end: rows, or another topic.
func (p *page) settle(ctx context.Context, b *sinkd.Batch) error {
	if b.Records() == 0 {
		return nil
	}
	if p.replay.Send == nil {
		return p.land(ctx, b)
	}
	var records []*sinkd.Record
	for i := range b.Ranges {
		all := b.Ranges[i].Records
		for n := range all.Len() {
			records = append(records, all.At(n))
		}
	}
	if !p.replay.DryRun {
		if err := p.replay.Send(ctx, records); err != nil {
			return &refused{err}
		}
	}
	for _, rec := range records {
		p.gone = append(p.gone, keyOfRecord(rec))
	}
	p.done.Sent += int64(len(records))
	return nil
}

func keyOfRecord(rec *sinkd.Record) letterKey {
	return letterKey{rec.Topic, rec.Partition, rec.Offset}
}

// land writes the batch's rows, in parts where it has to be split.
func (p *page) land(ctx context.Context, b *sinkd.Batch) error {
	if err := p.replay.Encode(ctx, b); err != nil {
		return &refused{err}
	}
	single := b.Records() == 1
	if !p.replay.Force {
		if err := unordered(b); err != nil {
			return &refused{err}
		}
	}
	if !single && (removes(b) || folded(b)) {
		return p.parts(ctx, b, nil)
	}
	if single && removes(b) && !p.replay.Force && placeOf(b.Rows[0].Table, b.Rows[0].Route) == nil {
		p.done.Held++
		p.done.Reasons["a tombstone, and nothing tells whether its key was written since; --force replays it"]++
		return nil
	}
	err := p.rows.Apply(ctx, b)
	if err == nil {
		p.landed(b)
		return nil
	}
	e := Classify(err)
	switch {
	case e.Class == sinkd.Data && single:
		p.stay(sinkd.DeadLetter{Record: theOnly(b), Stage: "write", Reason: e.Err.Error(), SQLState: e.SQLState})
		return nil
	case !single && (e.Class == sinkd.Data || e.Split):
		return p.parts(ctx, b, e.Record)
	}
	return e
}

func (p *page) parts(ctx context.Context, b *sinkd.Batch, at *sinkd.Record) error {
	for _, part := range b.Split(at) {
		if part.Records() == 0 {
			continue
		}
		if err := p.land(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// landed counts what has become of the batch's records, for the ledger.
func (p *page) landed(b *sinkd.Batch) {
	dead := make(map[letterKey]bool, len(b.Dead))
	for i := range b.Dead {
		dead[keyOfRecord(b.Dead[i].Record)] = true
		p.stay(b.Dead[i])
	}
	for i := range b.Ranges {
		r := &b.Ranges[i]
		for _, rec := range r.Records.All() {
			if key := keyOfRecord(rec); !dead[key] {
				p.gone = append(p.gone, key)
			}
		}
		p.done.Landed += int64(r.Count.Rows)
		p.done.Skipped += int64(r.Count.Skipped)
		if row := p.ledger[r.Claim]; row != nil {
			row.rows += int64(r.Count.Rows)
			row.skipped += int64(r.Count.Skipped)
		}
	}
}

func (p *page) stay(d sinkd.DeadLetter) {
	p.bad = append(p.bad, d)
	p.done.Bad++
	p.done.Reasons[d.Stage+": "+d.Reason]++
}
