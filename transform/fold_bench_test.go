package transform

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sinkd/sinkd"
)

// keyedOrders is the table of the measurements with its primary key.
func keyedOrders() *sinkd.Table {
	t := orders()
	t.Key = []string{"id"}
	return t
}

// hot gives records of which one in ten has one of a hundred keys, the others
// keys of their own, in random order.
func hot(n int) []*sinkd.Record {
	rnd := rand.New(rand.NewPCG(1, 2))
	records := narrow(n)
	rnd.Shuffle(n, func(i, j int) { records[i], records[j] = records[j], records[i] })
	for i, rec := range records {
		if i%10 == 0 {
			rec.Value = fmt.Appendf(nil, `{"id":%d,"customer":"hot","status":"paid","amount":%d.%02d}`, rnd.IntN(100), rnd.IntN(10_000), i%100)
		}
	}
	return records
}

func shuffled(records []*sinkd.Record) []*sinkd.Record {
	rnd := rand.New(rand.NewPCG(3, 4))
	rnd.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	return records
}

func newKeyed(tb testing.TB, r *sinkd.Route, t *sinkd.Table) *Encoder {
	tb.Helper()
	r.Topics = []string{"orders"}
	e := NewEncoder(Options{Routes: []*sinkd.Route{r}})
	if err := e.Supply("orders", t); err != nil {
		tb.Fatal(err)
	}
	return e
}

// foldRecords is the size of a batch by default, where memory shows.
const foldRecords = 50_000

// BenchmarkFold measures a batch in upsert mode, against the same in append.
func BenchmarkFold(b *testing.B) {
	byCustomer := orders()
	byCustomer.Key = []string{"customer", "id"}
	for _, c := range []struct {
		name    string
		route   *sinkd.Route
		table   *sinkd.Table
		records []*sinkd.Record
	}{
		{"append", &sinkd.Route{}, orders(), narrow(foldRecords)},
		{"append, random", &sinkd.Route{}, orders(), shuffled(narrow(foldRecords))},
		{"new keys", &sinkd.Route{Mode: sinkd.Upsert}, keyedOrders(), narrow(foldRecords)},
		{"new keys, random", &sinkd.Route{Mode: sinkd.Upsert}, keyedOrders(), shuffled(narrow(foldRecords))},
		{"new text keys, random", &sinkd.Route{Mode: sinkd.Upsert}, byCustomer, shuffled(narrow(foldRecords))},
		{"hot keys", &sinkd.Route{Mode: sinkd.Upsert}, keyedOrders(), hot(foldRecords)},
		{"version", &sinkd.Route{Mode: sinkd.Upsert, Version: "created_at"}, keyedOrders(), narrow(foldRecords)},
		{"ignore", &sinkd.Route{Mode: sinkd.Ignore}, keyedOrders(), narrow(foldRecords)},
	} {
		b.Run(c.name, func(b *testing.B) {
			e, batch := newKeyed(b, c.route, c.table), batchOf(c.records)
			e.Encode(batch)
			b.ReportAllocs()
			b.SetBytes(volume(c.records))
			start := cpuTime(b)
			for b.Loop() {
				e.Encode(batch)
			}
			perRecord(b, start, c.records)
		})
	}
}

// TestFoldNoAllocations holds also where rows are laid over others, and where
// keys come in any order.
func TestFoldNoAllocations(t *testing.T) {
	withTombstones := hot(3000)
	for i, rec := range withTombstones {
		if i%7 == 0 {
			rec.Key, rec.Value = fmt.Appendf(nil, `{"id":%d}`, i%200), nil
		}
	}
	for _, c := range []struct {
		name    string
		route   *sinkd.Route
		records []*sinkd.Record
	}{
		{"new", &sinkd.Route{Mode: sinkd.Upsert}, narrow(3000)},
		{"random", &sinkd.Route{Mode: sinkd.Upsert}, shuffled(narrow(3000))},
		{"hot", &sinkd.Route{Mode: sinkd.Upsert}, hot(3000)},
		{"ignore", &sinkd.Route{Mode: sinkd.Ignore}, hot(3000)},
		{"tombstones", &sinkd.Route{Mode: sinkd.Upsert}, withTombstones},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, b := newKeyed(t, c.route, keyedOrders()), batchOf(c.records)
			for range 5 { // until all buffers have been as large as they get
				e.Encode(b)
			}
			if len(b.Dead) > 0 {
				t.Fatal(b.Dead[0].Reason)
			}
			if n := testing.AllocsPerRun(20, func() { e.Encode(b) }); n != 0 {
				t.Errorf("%v allocations in a batch of %d records", n, len(c.records))
			}
		})
	}
}
