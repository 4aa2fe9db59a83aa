package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

func TestApplyLandsEverythingOrNothing(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	claims := f.claims(s, 2)
	c := &claims[0]
	b := f.kill(f.batch(from(c, 0, 10), sinkd.Range{Claim: &claims[1], From: 0, Until: 7, Epoch: -1}), 4)
	b.Dead[0].Record.Headers = []sinkd.Header{{Key: []byte("a"), Value: []byte("x")}, {Key: []byte("a"), Value: []byte("\xff")}, {Key: []byte("b")}}
	b.Ranges[0].Count.First, b.Ranges[0].Count.Last = time.UnixMilli(0), time.UnixMilli(9)
	f.must(s.Apply(f.Context(), 0, b))
	if n := one[int](f, `SELECT count(*) FROM target WHERE k <> 4`); n != 9 {
		t.Errorf("%d rows", n)
	}
	got := one[string](f, `SELECT string_agg(partition || ' ' || next_offset || ' ' || leader_epoch, ', ' ORDER BY partition) FROM sinkd.offsets`)
	if got != "0 10 3, 1 7 -1" {
		t.Errorf("positions %s", got)
	}
	got = one[string](f, `SELECT string_agg(concat_ws(' ', partition, kind, from_offset, until_offset, records, rows, skipped, dead, bytes), ', ' ORDER BY partition) FROM sinkd.batches`)
	if got != "0 batch 0 10 10 9 0 1 40, 1 batch 0 7 0 0 0 0 0" {
		t.Errorf("ledger %s", got)
	}
	got = one[string](f, `SELECT concat_ws('|', record_offset, key, value, headers, stage, reason, sqlstate) FROM sinkd.dead_letters`)
	if want := `4|\x6e6f7465|[["a", "x"], ["a", "base64:/w=="], ["b", null]]|convert|bad\0 reason`; got != want {
		t.Errorf("dead letter %s, want %s", got, want)
	}
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 10, 12))))
}

// A batch that was built under a configuration before a reset must not land,
// although its offsets agree: only the claim tells.
func TestFencedByTheClaim(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	claims := f.claims(s, 2)
	stale := f.batch(from(&claims[0], 0, 5), from(&claims[1], 0, 5))
	f.claim(f.open()) // another writer takes partition 0, at the same offset
	e := f.class(s.Apply(f.Context(), 0, stale), sinkd.Fenced)
	if len(e.Lost) != 1 || e.Lost[0] != &claims[0] {
		t.Errorf("lost %v", e.Lost)
	}
	f.landed(0)
	rest := stale.Without(func(c *sinkd.Claim) bool { return c == e.Lost[0] })
	f.encode(rest)
	f.must(s.Apply(f.Context(), 0, rest))
	if n := one[int](f, `SELECT count(*) FROM target`); n != 5 {
		t.Errorf("%d rows", n)
	}
}

// A position that went back, with its claim, must fence the batch that would
// leave a hole.
func TestFencedByTheOffset(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))))
	f.exec(`DELETE FROM target; DELETE FROM sinkd.batches; UPDATE sinkd.offsets SET next_offset = 0`)
	f.class(s.Apply(f.Context(), 0, f.batch(from(c, 5, 8))), sinkd.Fenced)
	f.landed(0)
}

// A batch that is applied twice lands once.
func TestAppliedTwice(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	b := f.batch(from(c, 0, 5))
	f.must(s.Apply(f.Context(), 0, b))
	f.class(s.Apply(f.Context(), 0, b), sinkd.Fenced)
	f.landed(5)
}

func TestRefusedRows(t *testing.T) {
	f := setup(t)
	f.exec(`ALTER TABLE target ADD CHECK (k <> 3)`)
	s := f.pinned(1)
	c := f.claim(s)
	e := f.class(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))), sinkd.Data)
	if e.Record == nil || e.Record.Offset != 3 || e.SQLState != "23514" || e.Topic != "t" || e.Table != "public.target" {
		t.Errorf("%+v", e)
	}
	if strings.Contains(e.Error(), "note") {
		t.Errorf("row data in %q", e)
	}
	f.landed(0)
	f.exec(`ALTER TABLE target DROP CONSTRAINT target_k_check`)
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))))
	f.landed(5)
}

// A deferred constraint refuses the COMMIT, with an answer: that is a refusal
// like any other, not an unknown end.
func TestRefusedCommit(t *testing.T) {
	f := setup(t)
	f.exec(`CREATE TABLE parent (k bigint PRIMARY KEY);
		ALTER TABLE target ADD FOREIGN KEY (k) REFERENCES parent DEFERRABLE INITIALLY DEFERRED`)
	s := f.pinned(1)
	c := f.claim(s)
	e := f.class(s.Apply(f.Context(), 0, f.batch(from(c, 0, 1))), sinkd.Data)
	if e.SQLState != "23503" {
		t.Errorf("%+v", e)
	}
	f.exec(`INSERT INTO parent VALUES (0)`)
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 1))))
	f.landed(1)
}

func TestTableIsGone(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 2))))
	f.exec(`ALTER TABLE target RENAME TO moved`)
	e := f.class(s.Apply(f.Context(), 0, f.batch(from(c, 2, 4))), sinkd.Schema)
	if e.SQLState != "42P01" || e.Topic != "t" {
		t.Errorf("%+v", e)
	}
	f.exec(`ALTER TABLE moved RENAME TO target`)
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 2, 4))))
	f.landed(4)
}

func TestBookkeepingIsNeverTheRecordsFault(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	f.exec(`ALTER TABLE sinkd.batches ADD CONSTRAINT no CHECK (from_offset < 5)`)
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))))
	e := f.class(s.Apply(f.Context(), 0, f.batch(from(c, 5, 6))), sinkd.Configuration)
	if e.Kind != sinkd.Refused || e.SQLState != "23514" {
		t.Errorf("%+v", e)
	}
	f.exec(`DROP TABLE sinkd.batches CASCADE`)
	e = f.class(s.Apply(f.Context(), 0, f.batch(from(c, 5, 6))), sinkd.Configuration)
	if !strings.Contains(e.Error(), "sinkd migrate up") {
		t.Errorf("%v", e)
	}
}

func TestLockTimeoutIsTransient(t *testing.T) {
	f := setup(t)
	s := f.pinned(1, func(c *store.Config) { c.LockTimeout = 50 * time.Millisecond })
	c := f.claim(s)
	tx, err := f.db.Begin(f.Context())
	f.must(err)
	_, err = tx.Exec(f.Context(), `LOCK TABLE target`)
	f.must(err)
	if e := f.class(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))), sinkd.Transient); e.SQLState != "55P03" || e.Split {
		t.Errorf("%+v", e)
	}
	f.must(tx.Rollback(f.Context()))
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))))
	f.landed(5)
}

func TestStatementTimeoutSplits(t *testing.T) {
	f := setup(t)
	f.exec(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END';
		CREATE TRIGGER slow BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION slow()`)
	s := f.pinned(1, func(c *store.Config) { c.StatementTimeout = 2 * time.Second })
	c := f.claim(s)
	if e := f.class(s.Apply(f.Context(), 0, f.batch(from(c, 0, 50))), sinkd.Transient); e.SQLState != "57014" || !e.Split {
		t.Errorf("%+v", e)
	}
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 1))))
}

// An Apply that is cancelled leaves nothing, and the lane usable.
func TestCancelled(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	tx, err := f.db.Begin(f.Context())
	f.must(err)
	_, err = tx.Exec(f.Context(), `LOCK TABLE target`)
	f.must(err)
	ctx, cancel := context.WithTimeout(f.Context(), 100*time.Millisecond)
	defer cancel()
	f.class(s.Apply(ctx, 0, f.batch(from(c, 0, 5))), sinkd.Transient)
	f.must(tx.Rollback(f.Context()))
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))))
	f.landed(5)
}

func TestTwoLanesOfTwoWritersInAnyOrder(t *testing.T) {
	f := setup(t)
	s := f.pinned(8)
	claims := f.claims(s, 8)
	errs := make(chan error, 2)
	for lane := range 2 {
		go func() {
			var err error
			for n := int64(0); n < 20 && err == nil; n++ {
				b := &sinkd.Batch{}
				for i := 3; i >= 0; i-- { // in any order but the key's
					b.Ranges = append(b.Ranges, from(&claims[lane+2*i], n, n+1))
				}
				err = s.Apply(f.Context(), lane, f.batch(b.Ranges...))
			}
			errs <- err
		}()
	}
	f.must(<-errs)
	f.must(<-errs)
	if n := one[int](f, `SELECT count(*) FROM target`); n != 160 {
		t.Errorf("%d rows", n)
	}
}
