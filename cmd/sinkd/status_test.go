package main

import (
	"strings"
	"testing"
	"time"

	"github.com/sinkd/sinkd/store"
)

func TestSentence(t *testing.T) {
	now := time.Date(2026, 11, 21, 2, 14, 0, 0, time.UTC)
	before := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	lag := func(n int64) *int64 { return &n }
	age := func(s float64) *float64 { return &s }
	started := store.Status{Pipeline: "orders", Now: now, Started: before(time.Hour)}
	with := func(change func(*store.Status), partitions ...store.PartitionStatus) *store.Status {
		st := started
		st.Partitions = partitions
		change(&st)
		return &st
	}
	nothing := func(*store.Status) {}
	for _, test := range []struct {
		status *store.Status
		want   string
	}{
		{&store.Status{Pipeline: "orders", Now: now}, "pipeline orders was never started"},
		{with(nothing), "pipeline orders: stopped, exactly-once, 0.0 s behind"},
		{
			with(nothing, store.PartitionStatus{Observed: before(9 * time.Second), Lag: lag(3), LastCommit: before(1500 * time.Millisecond)},
				store.PartitionStatus{Observed: before(time.Second), Lag: lag(4), LastCommit: before(time.Minute)}),
			"pipeline orders: running, exactly-once, 7 records behind, last commit 1.5s ago",
		},
		{
			with(nothing, store.PartitionStatus{Observed: before(time.Second), Lag: lag(3), Seconds: age(0.27)},
				store.PartitionStatus{Observed: before(time.Second), Lag: lag(0), Seconds: age(0)}),
			"pipeline orders: running, exactly-once, 0.2 s behind",
		},
		{
			with(nothing, store.PartitionStatus{Observed: before(time.Minute), LastCommit: before(time.Minute)}),
			"pipeline orders: stopped, exactly-once, 0 records behind, last commit 1m0s ago",
		},
		{
			with(nothing, store.PartitionStatus{Observed: before(time.Second), Released: before(0)}),
			"pipeline orders: stopped, exactly-once, 0 records behind",
		},
		{
			with(func(st *store.Status) { st.Incidents = make([]store.IncidentRow, 2) },
				store.PartitionStatus{Observed: before(0)}, store.PartitionStatus{Topic: "orders", Partition: 3, Halted: "data_lost"}, store.PartitionStatus{Halted: "x"}),
			"pipeline orders: halted: orders[3], Kafka no longer holds its next records, and 1 more; exactly-once, 0 records behind; 2 open incidents, see sinkd incidents list",
		},
		{
			with(func(st *store.Status) { st.Paused = true }, store.PartitionStatus{Halted: "data_lost"}),
			"pipeline orders: paused, exactly-once, 0 records behind",
		},
	} {
		if got := sentence(test.status); got != test.want {
			t.Errorf("%q in place of %q", got, test.want)
		}
	}
}

func TestPrintStatus(t *testing.T) {
	now := time.Now()
	end, lag, age := int64(20), int64(3), 75.04
	var b strings.Builder
	err := printStatus(&b, &store.Status{
		Pipeline: "orders", Now: now, Started: &now, DeadLetters: map[string]int64{"orders": 2},
		Partitions: []store.PartitionStatus{
			{Topic: "orders", Partition: 0, Next: 17, End: &end, Lag: &lag, Seconds: &age, Writer: "0a1b2c3d", Observed: &now, LastCommit: &now},
			{Topic: "orders", Partition: 1, Halted: "topic_recreated"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `pipeline orders: halted: orders[1], topic was recreated; exactly-once, 75 s behind, last commit 0s ago

PARTITION  POSITION  END  BEHIND  AGE    STATE                    LAST COMMIT  WRITER
orders[0]  17        20   3       1m15s  claimed                  0s ago       0a1b2c3d
orders[1]  0         ?    ?       ?      halted: topic_recreated  -            

2 dead letters of topic orders
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
