package store_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

func incident(kind string) sinkd.Incident { return sinkd.Incident{Kind: kind, Detail: "detail"} }

// A halt is conditional: a writer that is no longer the owner, or that saw
// another position, halts nobody and records nothing.
func TestHaltComparesClaimAndOffset(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	old := f.claim(s)
	c := f.claim(f.open())
	for _, stale := range []struct {
		claim *sinkd.Claim
		next  int64
	}{{old, 0}, {c, 7}} {
		halted, err := s.Halt(f.Context(), stale.claim, stale.next, incident(sinkd.DataLost))
		if halted || err != nil {
			t.Errorf("halted %t, %v", halted, err)
		}
	}
	if n := one[int](f, `SELECT count(*) FROM sinkd.incidents`) + one[int](f, `SELECT count(halted) FROM sinkd.offsets`); n != 0 {
		t.Fatal("a halt of another's partition left something")
	}
	halted, err := s.Halt(f.Context(), c, 0, incident(sinkd.DataLost))
	if !halted || err != nil {
		t.Errorf("halted %t, %v", halted, err)
	}
	f.class(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))), sinkd.Fenced)
	if again := f.claim(s); again.Halted != sinkd.DataLost {
		t.Errorf("claimed %+v", again)
	}
}

func TestOneOpenIncidentOfAKind(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	for range 3 {
		f.must(s.Report(f.Context(), incident(sinkd.ClusterChanged)))
		for id := int32(-1); id < 2; id++ {
			i := incident(sinkd.PositionMissing)
			i.Partition = part(id)
			f.must(s.Report(f.Context(), i))
		}
		c := f.claim(s)
		if _, err := s.Halt(f.Context(), c, 0, incident(sinkd.Refused)); err != nil {
			t.Fatal(err)
		}
	}
	open, err := s.Incidents(f.Context(), false)
	if err != nil || len(open) != 5 {
		t.Fatalf("%+v, %v", open, err)
	}
	for _, i := range open {
		if i.Seen != 3 {
			t.Errorf("%+v", i)
		}
	}
	f.must(s.Retry(f.Context()))
	if open, _ = s.Incidents(f.Context(), false); len(open) != 4 {
		t.Errorf("%+v", open)
	}
	if c := f.claim(s); c.Halted != "" {
		t.Errorf("still halted: %+v", c)
	}
}

func TestRetryLeavesOtherHaltsAndFences(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	claims := f.claims(s, 2)
	for i, kind := range []string{sinkd.Refused, sinkd.DataLost} {
		if _, err := s.Halt(f.Context(), &claims[i], 0, incident(kind)); err != nil {
			t.Fatal(err)
		}
	}
	claims = f.claims(s, 2)
	f.must(s.Retry(f.Context()))
	e := f.class(s.Apply(f.Context(), 0, f.batch(from(&claims[0], 0, 1))), sinkd.Fenced)
	if len(e.Lost) != 1 {
		t.Errorf("lost %v", e.Lost)
	}
	if claims = f.claims(s, 2); claims[0].Halted != "" || claims[1].Halted != sinkd.DataLost {
		t.Errorf("%+v", claims)
	}
}

func TestSkip(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	moved, err := s.Skip(f.Context(), sinkd.Skip{Claim: c, Until: 40, Cause: "expired"})
	if err != nil || moved.Next != 40 || moved.Token != c.Token || c.Next != 0 {
		t.Fatalf("%+v, %v", moved, err)
	}
	f.must(s.Apply(f.Context(), 0, f.batch(from(&moved, 40, 42))))
	got := one[string](f, `SELECT string_agg(concat_ws(' ', kind, from_offset, until_offset, records), ', ' ORDER BY from_offset) FROM sinkd.batches`)
	if got != "skip 0 40 0, batch 40 42 2" {
		t.Errorf("ledger %s", got)
	}
	_, err = s.Skip(f.Context(), sinkd.Skip{Claim: c, Until: 50, Cause: "again"})
	f.class(err, sinkd.Fenced)
}

func TestPauseAndAck(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	f.must(s.Pause(f.Context(), incident(sinkd.DeadLetterLimit)))
	if c := f.claim(s); !c.Paused {
		t.Errorf("%+v", c)
	}
	open, err := s.Incidents(f.Context(), false)
	if err != nil || len(open) != 1 || open[0].Topic != "" || open[0].Partition != -1 {
		t.Fatalf("%+v, %v", open, err)
	}
	f.must(s.AckIncident(f.Context(), store.Ack{ID: open[0].ID, Retry: true, Operator: "me"}))
	if err := s.AckIncident(f.Context(), store.Ack{ID: open[0].ID, Operator: "me"}); !errors.Is(err, store.ErrNoIncident) {
		t.Errorf("got %v", err)
	}
	if c := f.claim(s); c.Paused {
		t.Errorf("%+v", c)
	}
	if all, err := s.Incidents(f.Context(), true); err != nil || len(all) != 1 || all[0].AckedBy != "me" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAckResumes(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	c := f.claim(s)
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))))
	if _, err := s.Halt(f.Context(), c, 5, incident(sinkd.DataLost)); err != nil {
		t.Fatal(err)
	}
	stale := f.claim(s)
	open, _ := s.Incidents(f.Context(), false)
	f.must(s.AckIncident(f.Context(), store.Ack{ID: open[0].ID, Resume: map[int32]int64{0: 3}, Operator: "me"}))
	f.class(s.Apply(f.Context(), 0, f.batch(from(stale, 5, 6))), sinkd.Fenced)
	if c = f.claim(s); c.Next != 3 || c.Generation != 2 || c.Halted != "" {
		t.Errorf("%+v", c)
	}
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 3, 6))))
	if got := one[string](f, `SELECT operation || ' ' || operator FROM sinkd.operations`); got != "incidents ack me" {
		t.Errorf("operation %s", got)
	}
}

// The positions of a recreated topic mean nothing in the new one, so all of
// its partitions are reset together.
func TestAckOfARecreatedTopic(t *testing.T) {
	f := setup(t)
	s := f.pinned(3)
	claims := f.claims(s, 2)
	for i := range claims {
		if _, err := s.Halt(f.Context(), &claims[i], 0, incident(sinkd.TopicRecreated)); err != nil {
			t.Fatal(err)
		}
	}
	open, _ := s.Incidents(f.Context(), false)
	now := topic(2)
	now.ID = uuid.UUID{2}
	ack := store.Ack{ID: open[0].ID, Retry: true, Operator: "me"}
	if err := s.AckIncident(f.Context(), ack); err == nil {
		t.Fatal("the old positions were let into the new topic")
	}
	ack.Topic, ack.Resume = &now, map[int32]int64{0: 0, 1: 7}
	f.must(s.AckIncident(f.Context(), ack))
	topics, _ := s.Topics(f.Context())
	if topics["t"] != now {
		t.Errorf("pinned %+v", topics)
	}
	if open, _ = s.Incidents(f.Context(), false); len(open) != 0 {
		t.Errorf("%+v", open)
	}
	if got := one[string](f, `SELECT string_agg(concat_ws(':', partition, next_offset, generation, halted), ' ' ORDER BY partition) FROM sinkd.offsets`); got != "0:0:2 1:7:2" {
		t.Errorf("positions %s", got)
	}
}
