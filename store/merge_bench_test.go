package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
)

// BenchmarkMerge shows what a batch of 50,000 rows costs this process beside
// Postgres, by the way that it takes into a table with a key.
func BenchmarkMerge(b *testing.B) {
	for _, way := range []string{"new", "existing", "counted", "unfolded"} {
		b.Run(way, func(b *testing.B) { benchmarkMerge(b, way) })
	}
}

func benchmarkMerge(b *testing.B, way string) {
	b.Helper()
	f := setupOn(b, lab.Database(b))
	f.exec(fmt.Sprintf(`ALTER DATABASE %s SET synchronous_commit = off; ALTER TABLE target ADD PRIMARY KEY (k)`, one[string](f, `SELECT current_database()`)))
	s := f.pinned(2)
	r := keyed("target", sinkd.Upsert)
	if way == "counted" {
		r.Mode = sinkd.Ignore
	}
	table, err := s.Table(f.Context(), r, "t")
	f.must(err)
	f.table = table
	claims := f.claims(s, 2)
	batch := f.batch(from(&claims[0], 0, 25000), from(&claims[1], 25000, 50000))
	batch.Rows[0].Route, batch.Rows[0].Unfolded = r, way == "unfolded"
	next, ctx := int64(0), context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if way == "new" {
			b.StopTimer()
			f.exec(`TRUNCATE target`)
			b.StartTimer()
		}
		for i := range batch.Ranges {
			rg := &batch.Ranges[i]
			rg.From, rg.Until = next, next+1
			rg.Count = sinkd.Count{Rows: 25000}
		}
		next++
		if err := s.Apply(ctx, 0, batch); err != nil {
			b.Fatal(err)
		}
	}
}
