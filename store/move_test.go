package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// placed gives the target a partition column, and the route that tells which
// columns are a row's place.
func (f *fixture) placed(s *store.Store) (*sinkd.Route, *sinkd.Table) {
	f.Helper()
	f.exec(`ALTER TABLE target ADD COLUMN kafka_partition int DEFAULT 0`)
	r := &sinkd.Route{Topics: []string{"t"}, Schema: "public", Name: "target", Columns: []sinkd.Mapping{{Column: "k", Source: "@offset"}}}
	t, err := s.Table(f.Context(), r, "t")
	f.must(err)
	return r, t
}

func move(next map[int32]int64) *store.Move {
	return &store.Move{
		To: "there", Operator: store.Operator{Name: "ann", Reason: "because"},
		Topics: []store.TopicMove{{Topic: topic(len(next)), Next: next}},
	}
}

// A writer at work is fenced by a move, also where the offset happens to agree.
func TestMoveFencesTheWriter(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	claims := f.claims(s, 2)
	f.must(s.Apply(f.Context(), 0, f.batch(from(&claims[0], 0, 10))))
	moved, err := f.open().Move(f.Context(), move(map[int32]int64{0: 10, 1: 0}))
	f.must(err)
	if len(moved) != 2 || moved[0].From != 10 || moved[0].Next != 10 || moved[1].From != 0 {
		t.Errorf("%+v", moved)
	}
	e := f.class(s.Apply(f.Context(), 0, f.batch(from(&claims[0], 10, 20), from(&claims[1], 0, 5))), sinkd.Fenced)
	if len(e.Lost) != 2 {
		t.Errorf("lost %v", e.Lost)
	}
	if c := f.claim(s); c.Next != 10 || c.Generation != 2 {
		t.Errorf("%+v", c)
	}
	got := one[string](f, `SELECT concat_ws('|', operator, operation, topic, partition, reason, detail) FROM sinkd.operations`)
	if want := "ann|offsets set|t|because|to there; t[0] from 10 to 10; t[1] from 0 to 0"; got != want {
		t.Errorf("recorded %q", got)
	}
}

// Rows, dead letters and position go together.
func TestMoveDeletesRowsAndLetters(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	route, table := f.placed(s)
	c := f.claim(s)
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 0, 20)), 3, 12, 15)))
	f.exec(`INSERT INTO target VALUES (15, 'of another partition', 1)`)
	m := move(map[int32]int64{0: 10})
	m.DeleteRows, m.Topics[0].Route, m.Topics[0].Table = true, route, table
	moved, err := s.Move(f.Context(), m)
	f.must(err)
	if moved[0].Rows != 8 || moved[0].Letters != 2 {
		t.Errorf("%+v", moved)
	}
	c = f.claim(s)
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 10, 20))))
	if n := one[int](f, `SELECT count(*) FROM target WHERE kafka_partition = 0 AND k BETWEEN 0 AND 19 AND k <> 3`); n != 19 {
		t.Errorf("%d rows", n)
	}
	if n := one[int](f, `SELECT count(DISTINCT k) FROM target WHERE kafka_partition = 0`); n != 19 {
		t.Errorf("%d distinct rows", n)
	}
	if got := one[string](f, `SELECT generation || ' from ' || start_offset FROM sinkd.offsets JOIN sinkd.partitions USING (pipeline, topic, partition)`); got != "2 from 10" {
		t.Error(got)
	}
}

// Where the transaction fails, nothing has moved.
func TestMoveIsOneTransaction(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	route, table := f.placed(s)
	c := f.claim(s)
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 0, 20)), 12)))
	poor, role := f.role()
	f.exec(`GRANT SELECT, INSERT ON target TO ` + role + `; GRANT USAGE ON SCHEMA sinkd TO ` + role + `;
		GRANT ALL ON ALL TABLES IN SCHEMA sinkd TO ` + role)
	m := move(map[int32]int64{0: 10})
	m.DeleteRows, m.Topics[0].Route, m.Topics[0].Table = true, route, table
	_, err := poor.open().Move(f.Context(), m)
	e, ok := errors.AsType[*sinkd.Error](err)
	if !ok || !strings.Contains(e.Hint, `GRANT SELECT, DELETE ON "public"."target" TO `) {
		t.Errorf("%v", err)
	}
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 20, 25))))
	if n := one[int](f, `SELECT count(*) FROM sinkd.dead_letters`); n != 1 {
		t.Errorf("%d letters", n)
	}
}

func TestMoveRefuses(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	another := move(map[int32]int64{0: 0, 1: 0})
	another.Topics[0].Topic.ID = uuid.UUID{9}
	fresh := move(map[int32]int64{0: 0})
	fresh.Topics[0].Topic.Name, fresh.Topics[0].Topic.Partitions = "u", 2
	for want, m := range map[string]*store.Move{
		"sinkd incidents ack ID": another,
		"leave --partition out":  fresh,
	} {
		_, err := s.Move(f.Context(), m)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
		if _, classified := errors.AsType[*sinkd.Error](err); classified {
			t.Errorf("%v is classified", err)
		}
	}
	_, err := f.open(func(c *store.Config) { c.Group = "other" }).Move(f.Context(), move(map[int32]int64{0: 0, 1: 0}))
	if _, ok := errors.AsType[*store.GroupError](err); !ok {
		t.Error(err)
	}
	if n := one[int](f, `SELECT count(*) FROM sinkd.operations`) + one[int](f, `SELECT count(*) FROM sinkd.topics WHERE topic = 'u'`); n != 0 {
		t.Error("a refusal left something")
	}
}

// Halts about the position end with it, others stay.
func TestMoveEndsHaltsOfThePosition(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	claims := f.claims(s, 2)
	for i, kind := range []string{sinkd.DataLost, sinkd.AllBad} {
		if _, err := s.Halt(f.Context(), &claims[i], 0, incident(kind)); err != nil {
			t.Fatal(err)
		}
	}
	moved, err := s.Move(f.Context(), move(map[int32]int64{0: 4, 1: 4}))
	f.must(err)
	if moved[0].Halted != "" || moved[1].Halted != sinkd.AllBad {
		t.Errorf("%+v", moved)
	}
	if claims = f.claims(s, 2); claims[0].Halted != "" || claims[1].Halted != sinkd.AllBad {
		t.Errorf("%+v", claims)
	}
	open, err := s.Incidents(f.Context(), false)
	if f.must(err); len(open) != 1 || open[0].Kind != sinkd.AllBad {
		t.Errorf("%+v", open)
	}
}

// What the old group's writers have under way does not land any more.
func TestAdoptFences(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	by := store.Operator{Name: "ann"}
	other := f.open(func(c *store.Config) { c.Group = "other" })
	if was, err := other.Adopt(f.Context(), by); was != "sinkd-p" || err != nil {
		t.Errorf("%s, %v", was, err)
	}
	f.class(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))), sinkd.Fenced)
	if _, err := other.Register(f.Context(), "cluster"); err != nil {
		t.Error(err)
	}
	nobody := f.open(func(c *store.Config) { c.Pipeline = "nobody" })
	if _, err := nobody.Adopt(f.Context(), by); !errors.Is(err, store.ErrNoPipeline) {
		t.Error(err)
	}
}
