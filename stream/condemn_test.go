package stream

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
)

// seventh refuses every seventh record, one after the other, as Postgres does.
type seventh struct {
	Store
	certain  bool
	attempts int
	landed   int
	dead     []int64
}

func (p *seventh) Apply(_ context.Context, _ int, b *sinkd.Batch) error {
	p.attempts++
	for _, rows := range b.Rows {
		for _, ref := range rows.Row {
			if rec := b.Record(ref); rec.Offset%7 == 0 {
				return &sinkd.Error{Class: sinkd.Data, Certain: p.certain, Record: rec, SQLState: "23514", Err: errors.New("refused")}
			}
		}
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
		b.Ranges[i].Count = sinkd.Count{Rows: len(b.Ranges[i].Records)}
		for n := range b.Ranges[i].Records {
			rows.Row = append(rows.Row, sinkd.RowRef{Start: len(rows.Row), Range: int32(i), Index: int32(n)})
			rows.Buf = append([]byte{'r'}, rows.Buf...)
		}
	}
	b.Rows, b.Dead = []sinkd.Rows{rows}, nil
	return nil
}

// Records that are certain to be refused cost one attempt each; what they held
// of the budget is given back.
func TestCertainRefusalsAreBuriedInTheirBatch(t *testing.T) {
	for _, certain := range []bool{true, false} {
		p := &seventh{certain: certain}
		f := &Flow{
			cfg:    Config{BatchRecords: 1000, BatchBytes: 1 << 20, Store: p, NewEncoder: func() Encoder { return bytewise{} }},
			budget: newBudget(1 << 30), metrics: NewMetrics(prometheus.NewRegistry(), "p"), log: slog.New(slog.DiscardHandler),
			enough: make(chan struct{}), assigned: assignment{parts: map[sinkd.Partition]*part{}},
		}
		f.health, f.caught = newHealth(f), newCaughtUp(f)
		l := newLane(f, 0)
		q := l.with(0, 0)
		_, sum := q.push(records(0, 0, 70))
		f.budget.add(sum)
		fl := l.cut()
		l.land(t.Context(), fl.batch, false)
		l.finish(fl)
		if p.landed != 60 || len(p.dead) != 10 || f.budget.used.Load() != 0 {
			t.Errorf("certain %v: %d landed, dead are %v, %d bytes are held", certain, p.landed, p.dead, f.budget.used.Load())
		}
		if certain != (p.attempts == 11) {
			t.Errorf("certain %v: %d attempts", certain, p.attempts)
		}
	}
}
