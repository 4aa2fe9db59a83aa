package store_test

import (
	"strings"
	"testing"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

func limited(n int) func(*store.Config) {
	return func(c *store.Config) { c.DeadLetterLimit = n }
}

func TestDeadLetterBudget(t *testing.T) {
	f := setup(t)
	s := f.pinned(1, limited(3))
	c := f.claim(s)
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 0, 5)), 1, 2)))
	over := f.kill(f.batch(from(c, 5, 10)), 5, 6)
	if e := f.class(s.Apply(f.Context(), 1, over), sinkd.Configuration); e.Kind != sinkd.DeadLetterLimit || e.Topic != "" {
		t.Errorf("%+v", e)
	}
	if n := one[int](f, `SELECT count(*) FROM sinkd.dead_letters`); n != 2 {
		t.Errorf("%d dead letters", n)
	}
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 5, 6)), 5))) // the third one still fits
	if count, err := s.DeadLetters(f.Context()); err != nil || len(count) != 1 || count[c.Topic] != 3 {
		t.Errorf("dead letters are counted as %v, %v", count, err)
	}
	// A person has looked: the count begins anew.
	f.must(s.Pause(f.Context(), incident(sinkd.DeadLetterLimit)))
	open, _ := s.Incidents(f.Context(), false)
	f.must(s.AckIncident(f.Context(), store.Ack{ID: open[0].ID, Retry: true, Operator: "me"}))
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 6, 9)), 6, 7)))
}

// Dead letters of both lanes at once still count together, although neither
// sees the other's before its COMMIT, which takes its time here.
func TestDeadLetterBudgetOfTwoLanes(t *testing.T) {
	f := setup(t)
	f.exec(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END';
		CREATE TRIGGER slow BEFORE INSERT ON sinkd.batches FOR EACH ROW EXECUTE FUNCTION slow()`)
	s := f.pinned(2, limited(5))
	claims := f.claims(s, 2)
	errs := make(chan error, 2)
	for lane := range 2 {
		go func() {
			errs <- s.Apply(f.Context(), lane, f.kill(f.batch(from(&claims[lane], 0, 9)), 0, 1, 2))
		}()
	}
	a, b := <-errs, <-errs
	if (a == nil) == (b == nil) {
		t.Errorf("one of the two fits: %v, %v", a, b)
	}
}

func TestAllBad(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	offsets := make([]int64, 100)
	for i := range offsets {
		offsets[i] = int64(i)
	}
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 0, 40)), offsets[:40]...)))
	e := f.class(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 40, 100)), offsets[40:]...)), sinkd.Configuration)
	if e.Kind != sinkd.AllBad || e.Topic != "t" || e.Record == nil {
		t.Errorf("%+v", e)
	}
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 40, 99)), offsets[40:99]...)))
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 99, 100))))
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 100, 101)), 100))) // it has written a row
}

func TestStopOnBadRecord(t *testing.T) {
	f := setup(t)
	s := f.pinned(1, func(c *store.Config) { c.StopOnBadRecord = true })
	c := f.claim(s)
	e := f.class(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 0, 5)), 3)), sinkd.Configuration)
	if e.Kind != sinkd.BadRecord || e.Record == nil || e.Record.Offset != 3 || e.Topic != "t" {
		t.Errorf("%+v", e)
	}
	b := f.kill(f.batch(from(c, 0, 5)), 3)
	b.Dead[0].Reason, b.Dead[0].SQLState = "amount 17 is too small", "P0001"
	if e := f.class(s.Apply(f.Context(), 0, b), sinkd.Configuration); strings.Contains(e.Error(), "17") || !strings.Contains(e.Error(), "t[0] offset 3") {
		t.Errorf("what a trigger says of a row is in %q", e)
	}
	f.landed(0)
}

// A dead letter lands with its range or not at all.
func TestDeadLettersAreInTheTransaction(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	b := f.kill(f.batch(from(c, 0, 5)), 3)
	f.claim(f.open())
	f.class(s.Apply(f.Context(), 0, b), sinkd.Fenced)

	f.exec(`ALTER TABLE sinkd.batches ADD CONSTRAINT no CHECK (from_offset > 0)`)
	f.class(s.Apply(f.Context(), 0, f.kill(f.batch(from(f.claim(s), 0, 5)), 3)), sinkd.Configuration)
	if n := one[int](f, `SELECT count(*) FROM sinkd.dead_letters`); n != 0 {
		t.Errorf("%d dead letters of what never landed", n)
	}
}

// A letter that comes again, as after a reset, replaces the one before.
func TestDeadLetterAgain(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(f.claim(s), 0, 5)), 3)))
	f.exec(`UPDATE sinkd.offsets SET next_offset = 0, generation = 2`)
	b := f.kill(f.batch(from(f.claim(s), 0, 5)), 3)
	b.Dead[0].SQLState, b.Dead[0].Stage, b.Dead[0].SchemaID = "23514", "write", 7
	f.must(s.Apply(f.Context(), 0, b))
	if got := one[string](f, `SELECT concat_ws(' ', stage, sqlstate, schema_id) FROM sinkd.dead_letters`); got != "write 23514 7" {
		t.Errorf("letter %s", got)
	}
}
