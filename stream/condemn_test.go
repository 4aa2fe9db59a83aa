package stream

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
)

// seventh refuses every seventh record, one after the other as Postgres does, or
// together.
type seventh struct {
	Store
	certain  bool
	together bool
	attempts int
	landed   int
	dead     []int64
}

func (p *seventh) Apply(_ context.Context, _ int, b *sinkd.Batch) error {
	p.attempts++
	e := &sinkd.Error{Class: sinkd.Data, Certain: p.certain, SQLState: "23514", Err: errors.New("refused")}
	for _, rows := range b.Rows {
		for _, ref := range rows.Row {
			if rec := b.Record(ref); rec.Offset%7 == 0 {
				e.Dead = append(e.Dead, e.Letter(rec))
			}
		}
	}
	if len(e.Dead) > 0 {
		e.Record = e.Dead[0].Record
		if !p.together {
			e.Dead = nil
		}
		return e
	}
	for _, rows := range b.Rows {
		p.landed += len(rows.Row)
	}
	for _, d := range b.Dead {
		p.dead = append(p.dead, d.Record.Offset)
	}
	return nil
}

// bytewise encodes each record as one byte.
type bytewise struct{ blank }

func (bytewise) Encode(b *sinkd.Batch) []sinkd.Need {
	rows := sinkd.Rows{Table: &sinkd.Table{}, Buf: []byte("\xff\xff")}
	for i := range b.Ranges {
		all := b.Ranges[i].Records.Len()
		b.Ranges[i].Count = sinkd.Count{Rows: all}
		for n := range all {
			rows.Row = append(rows.Row, sinkd.RowRef{Start: len(rows.Row), Range: int32(i), Index: int32(n)})
			rows.Buf = append([]byte{'r'}, rows.Buf...)
		}
	}
	b.Rows, b.Dead = []sinkd.Rows{rows}, nil
	return nil
}

// Records that are certain to be refused cost one attempt each in a small batch,
// and those that are found together one in all; what they held of the budget is
// given back.
func TestCertainRefusalsAreBuriedInTheirBatch(t *testing.T) {
	for _, c := range []struct {
		n, attempts       int
		certain, together bool
	}{
		{70, 11, true, false}, {70, 40, false, false}, {700, 2, false, true}, {700, 2, true, true},
	} {
		p := &seventh{certain: c.certain, together: c.together}
		f := &Flow{
			cfg:    Config{BatchRecords: 1000, BatchBytes: 1 << 20, Store: p, NewEncoder: func() Encoder { return bytewise{} }},
			budget: newBudget(1 << 30), metrics: NewMetrics(prometheus.NewRegistry(), "p"), log: slog.New(slog.DiscardHandler),
			enough: make(chan struct{}), assigned: assignment{parts: map[sinkd.Partition]*part{}},
		}
		f.health, f.caught = newHealth(f), newCaughtUp(f)
		l := newLane(f, 0)
		q := l.with(0, 0)
		f.budget.add(q.bring(records(0, 0, c.n)...))
		fl := l.cut()
		l.land(t.Context(), fl.batch, false)
		l.finish(fl)
		if p.landed != c.n*6/7 || len(p.dead) != c.n/7 || f.budget.used.Load() != 0 || p.attempts != c.attempts {
			t.Errorf("%+v: %d landed, dead are %v, %d bytes are held, %d attempts", c, p.landed, p.dead, f.budget.used.Load(), p.attempts)
		}
	}
}
