package stream

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd"
)

// value gives a series, or 0.
func value(t *testing.T, reg *prometheus.Registry, name string, labels map[string]string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	series:
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if want, asked := labels[l.GetName()]; asked && want != l.GetValue() {
					continue series
				}
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return 0
}

// Rows are counted by what they do to their table; those that Postgres left out
// by the mode are not.
func TestRowsAreCountedByOperation(t *testing.T) {
	ignored, merged := &sinkd.Table{Schema: "public", Name: "i"}, &sinkd.Table{Schema: "public", Name: "u"}
	rows := func(n int, of int32) []sinkd.RowRef {
		out := make([]sinkd.RowRef, n)
		for i := range out {
			out[i].Range = of
		}
		return out
	}
	claims := []*sinkd.Claim{{Partition: sinkd.Partition{Topic: "a"}}, {Partition: sinkd.Partition{Topic: "b"}}}
	b := &sinkd.Batch{
		Ranges: []sinkd.Range{
			{Claim: claims[0], Count: sinkd.Count{Rows: 6, Skipped: 4, Refused: 4}},
			{Claim: claims[1], Count: sinkd.Count{Rows: 9, Skipped: 1}},
		},
		Rows: []sinkd.Rows{
			{Table: ignored, Route: &sinkd.Route{Mode: sinkd.Ignore}, Row: rows(10, 0), Buf: make([]byte, 50)},
			{Table: merged, Route: &sinkd.Route{Mode: sinkd.Upsert}, Op: sinkd.Delete, Row: rows(2, 1)},
			{Table: merged, Route: &sinkd.Route{Mode: sinkd.Upsert}, Op: sinkd.Mark, Row: rows(1, 1)},
			{Table: merged, Route: &sinkd.Route{Mode: sinkd.Upsert}, Row: rows(5, 1)},
		},
	}
	reg := prometheus.NewRegistry()
	NewMetrics(reg, "p").landed(b)
	for _, test := range []struct {
		table, operation string
		want             float64
	}{
		{"public.i", "insert", 6},
		{"public.u", "upsert", 5},
		{"public.u", "delete", 3},
		{"public.u", "insert", 0},
	} {
		got := value(t, reg, "sinkd_rows_total", map[string]string{"table": test.table, "operation": test.operation})
		if got != test.want {
			t.Errorf("%s of %s: %v rows, want %v", test.operation, test.table, got, test.want)
		}
	}
	if got := value(t, reg, "sinkd_records_total", map[string]string{"topic": "a", "outcome": "skipped"}); got != 4 {
		t.Errorf("%v records skipped, want 4", got)
	}
}

// A topic whose dead letters are gone has none.
func TestDeadLettersFallToZero(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg, "p")
	m.DeadLetters(map[string]int64{"a": 3, "b": 1})
	m.DeadLetters(map[string]int64{"b": 2})
	for topic, want := range map[string]float64{"a": 0, "b": 2} {
		if got := value(t, reg, "sinkd_dead_letters", map[string]string{"topic": topic}); got != want {
			t.Errorf("%s has %v dead letters, want %v", topic, got, want)
		}
	}
}

// The age of what is not written is that of its oldest record, wherever that is
// on its way; never that of what was written before a quiet time.
func TestOldestRecord(t *testing.T) {
	l := newTestLane(2)
	q := l.with(0, 0)
	long, old, young := time.Now().Add(-time.Hour), time.Now().Add(-time.Minute), time.Now().Add(-time.Second)
	q.written = long
	record := func(offset int64, at time.Time) *sinkd.Record { return &sinkd.Record{Offset: offset, Timestamp: at} }
	aged := func(when string, want time.Time) {
		t.Helper()
		if got := q.progress().oldest; got.Sub(want).Abs() > 500*time.Millisecond {
			t.Errorf("%s: %s old, want %s", when, time.Since(got), time.Since(want))
		}
	}
	q.progress()
	q.known = 3
	aged("known of, not read", time.Now())
	q.bring(record(0, old), record(1, old), record(2, young))
	aged("read", old)
	l.cut()
	aged("under way", old)
	q.landed, q.head, q.written = 2, old, old
	aged("the rest", young)
	l.cut()
	aged("the rest under way", young)
}

// Only what goes back within a generation, or to an older one, is a rewind; and
// it is one once.
func TestRewinds(t *testing.T) {
	p := sinkd.Partition{Topic: "t"}
	for name, test := range map[string]struct {
		seen, raised, read place
		back               bool
	}{
		"on":                           {place{1, 10}, place{1, 10}, place{1, 12}, false},
		"the same":                     {place{1, 10}, place{1, 10}, place{1, 10}, false},
		"back":                         {place{1, 10}, place{1, 10}, place{1, 9}, true},
		"back by a command":            {place{1, 10}, place{1, 10}, place{2, 0}, false},
		"the command itself is undone": {place{2, 5}, place{2, 5}, place{1, 90}, true},
		"a commit after the look":      {place{1, 10}, place{1, 20}, place{1, 15}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var h heights
			h.raise(p, test.raised)
			if back := h.read(p, test.read, test.seen); back != test.back {
				t.Errorf("went back: %v, want %v", back, test.back)
			}
			if h.read(p, test.read, test.seen) {
				t.Error("it is told twice")
			}
		})
	}
}

// A partition that was given up while its series were set has none: they would
// stay as they are for ever, and another process has the true ones.
func TestGonePartitionsHaveNoSeries(t *testing.T) {
	reg := prometheus.NewRegistry()
	p := sinkd.Partition{Topic: "t"}
	f := &Flow{metrics: NewMetrics(reg, "p"), assigned: assignment{parts: map[sinkd.Partition]*part{}}}
	pt := f.assigned.add([]sinkd.Partition{p})[0]
	pt.next, pt.placed = 3, true
	for _, want := range []float64{3, 0} {
		f.showPart(pt)
		if got := value(t, reg, "sinkd_position_offset", map[string]string{"topic": "t"}); got != want {
			t.Errorf("the position is %v, want %v", got, want)
		}
		f.assigned.remove([]sinkd.Partition{p})
	}
}

// TestEmptyBuffersHaveNoSeries: nothing is read by the client's consumer, so what
// it would buffer is no news.
func TestEmptyBuffersHaveNoSeries(t *testing.T) {
	reg := prometheus.NewRegistry()
	client, err := kgo.NewClient(kgo.WithHooks(NewMetrics(reg, "p").client))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "kafka_") {
			t.Errorf("%s is there before anything was sent", f.GetName())
		}
	}
}
