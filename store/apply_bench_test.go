package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
)

// BenchmarkApply shows what the bookkeeping of a batch costs, beside a full
// batch of 50,000 rows. The disk's share of COMMIT is left out.
func BenchmarkApply(b *testing.B) {
	for _, c := range []struct{ ranges, rows int }{{1, 0}, {4, 0}, {40, 0}, {100, 0}, {4, 50000}} {
		b.Run(fmt.Sprintf("ranges=%d/rows=%d", c.ranges, c.rows), func(b *testing.B) { benchmarkApply(b, c.ranges, c.rows) })
	}
}

func benchmarkApply(b *testing.B, ranges, rows int) {
	b.Helper()
	f := setupOn(b, lab.Database(b))
	f.exec(fmt.Sprintf(`ALTER DATABASE %s SET synchronous_commit = off`, one[string](f, `SELECT current_database()`)))
	s := f.pinned(ranges)
	claims := f.claims(s, ranges)
	batch := &sinkd.Batch{}
	for i := range claims {
		batch.Ranges = append(batch.Ranges, from(&claims[i], 0, int64(rows/ranges)))
	}
	batch = f.batch(batch.Ranges...)
	b.ReportAllocs()
	if len(batch.Rows) > 0 {
		b.SetBytes(int64(len(batch.Rows[0].Buf)))
	}
	next, ctx := int64(0), context.Background()
	for b.Loop() {
		for i := range batch.Ranges {
			r := &batch.Ranges[i]
			r.From, r.Until = next, next+1
		}
		next++
		if err := s.Apply(ctx, 0, batch); err != nil {
			b.Fatal(err)
		}
	}
}
