package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

func positions(f *fixture) string {
	f.Helper()
	return one[string](f, `SELECT coalesce(string_agg(o.partition || ':' || o.next_offset || ':' || p.start_offset, ' ' ORDER BY o.partition), '')
		FROM sinkd.offsets o JOIN sinkd.partitions p USING (pipeline, topic, partition)`)
}

func TestPinnedOnce(t *testing.T) {
	f := setup(t)
	s := f.open()
	f.must(s.Pin(f.Context(), topic(3), []int64{10, 11, 12}))
	// Whoever comes later, or again after a crash, with other starts.
	f.must(f.open().Pin(f.Context(), topic(3), []int64{90, 91, 92}))
	if got := positions(f); got != "0:10:10 1:11:11 2:12:12" {
		t.Fatalf("positions %s", got)
	}
	topics, err := s.Topics(f.Context())
	if want := topic(3); err != nil || topics["t"] != want {
		t.Errorf("pinned %+v, %v", topics, err)
	}
	// Partitions that the topic has gained begin where they are told.
	f.must(s.Pin(f.Context(), topic(5), []int64{0, 0, 0, 1, 2}))
	if got := positions(f); got != "0:10:10 1:11:11 2:12:12 3:1:1 4:2:2" {
		t.Fatalf("positions %s", got)
	}
	if topics, _ = s.Topics(f.Context()); topics["t"].Partitions != 5 {
		t.Errorf("pinned %+v", topics)
	}
}

// A position row that is gone is never made again: that would lose or double
// whatever lies between it and the new start.
func TestPinMakesNoLostRowAgain(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	f.exec(`DELETE FROM sinkd.offsets WHERE partition = 1`)
	f.must(s.Pin(f.Context(), topic(2), []int64{0, 0}))
	f.must(s.Pin(f.Context(), topic(3), []int64{0, 0, 5}))
	if got := positions(f); got != "0:0:0 2:5:5" {
		t.Errorf("positions %s", got)
	}
}

func TestPinLeavesARecreatedTopicAlone(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	other := topic(4)
	other.ID = uuid.UUID{9}
	f.must(s.Pin(f.Context(), other, make([]int64, 4)))
	topics, err := s.Topics(f.Context())
	if want := topic(1); err != nil || topics["t"] != want {
		t.Errorf("pinned %+v, %v", topics, err)
	}
	if got := positions(f); got != "0:0:0" {
		t.Errorf("positions %s", got)
	}
}

func TestPinAtOnce(t *testing.T) {
	f := setup(t)
	var group errgroup.Group
	for i := range int64(6) {
		s := f.open()
		group.Go(func() error { return s.Pin(f.Context(), topic(2), []int64{i, i}) })
	}
	f.must(group.Wait())
	if n := one[int](f, `SELECT count(DISTINCT next_offset) FROM sinkd.offsets`); n != 1 {
		t.Errorf("%d different starts in one topic", n)
	}
}

func TestRegister(t *testing.T) {
	f := setup(t)
	s := f.open()
	for range 2 {
		first, err := s.Register(f.Context(), "cluster")
		if !first || err != nil {
			t.Errorf("first %t, %v", first, err)
		}
	}
	f.must(s.Started(f.Context()))
	f.must(s.Started(f.Context()))
	if first, err := s.Register(f.Context(), "another"); first || err != nil {
		t.Errorf("first %t, %v", first, err)
	}
	other := f.open(func(c *store.Config) { c.Group = "theirs" })
	_, err := other.Register(f.Context(), "cluster")
	e, ok := errors.AsType[*store.GroupError](err)
	if !ok || e.Have != "sinkd-p" || e.Want != "theirs" || !strings.Contains(err.Error(), "sinkd offsets adopt") {
		t.Errorf("got %v", err)
	}
}

func TestPositionsAndObserve(t *testing.T) {
	f := setup(t)
	s := f.pinned(3)
	claims := f.claims(s, 3)
	f.must(s.Apply(f.Context(), 0, f.batch(from(&claims[0], 0, 4))))
	f.must(s.Observe(f.Context(), []sinkd.Observation{
		{Partition: part(2), LogStart: 1, End: 20, HighWatermark: 22, Behind: 2500 * time.Millisecond},
		{Partition: part(0), End: 10, HighWatermark: 10, Behind: time.Minute},
	}))
	f.exec(`UPDATE sinkd.partitions SET paused = true WHERE partition = 1; UPDATE sinkd.offsets SET halted = 'x' WHERE partition = 2`)
	got, err := s.Positions(f.Context())
	want := []sinkd.Position{
		{Partition: part(0), Token: claims[0].Token, Next: 4, Generation: 1},
		{Partition: part(1), Token: claims[1].Token, Generation: 1, Paused: true},
		{Partition: part(2), Token: claims[2].Token, Generation: 1, Halted: "x"},
	}
	if err != nil || len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %+v, %v", got, err)
	}
	if lag := one[string](f, `SELECT string_agg(partition || ':' || coalesce(records || '/' || seconds, '-'), ' ' ORDER BY partition) FROM sinkd.lag`); lag != "0:6/60 1:- 2:20/2.5" {
		t.Errorf("lag %s", lag)
	}
	st, err := s.Status(f.Context())
	if err != nil || len(st.Partitions) != 3 || *st.Partitions[0].Lag != 6 || st.Partitions[0].LastCommit == nil || st.Group != "sinkd-p" {
		t.Errorf("status %+v, %v", st, err)
	}
	state := func(want string) {
		t.Helper()
		if got := one[string](f, `SELECT state || ' ' || coalesce(round(lag_seconds)::text, '-') FROM sinkd.status`); got != want {
			t.Errorf("state %q, want %q", got, want)
		}
	}
	state("halted 60")
	f.exec(`UPDATE sinkd.offsets SET halted = NULL`)
	state("running 60")
	// Nobody writes, so what waits grows older. In one transaction now() stands still.
	tx, err := f.db.Begin(f.Context())
	f.must(err)
	_, err = tx.Exec(f.Context(), `UPDATE sinkd.partitions SET observed_at = now() - interval '2 min'`)
	f.must(err)
	var stopped string
	f.must(tx.QueryRow(f.Context(), `SELECT state || ' ' || round(lag_seconds) FROM sinkd.status`).Scan(&stopped))
	f.must(tx.Commit(f.Context()))
	if stopped != "stopped 180" {
		t.Errorf("state %q, want %q", stopped, "stopped 180")
	}
	f.exec(`UPDATE sinkd.offsets SET next_offset = 20`)
	state("stopped 0")
	f.exec(`UPDATE sinkd.pipelines SET paused = true`)
	state("paused 0")
}
