package store_test

import (
	"sync"
	"testing"

	"github.com/sinkd/sinkd"
)

// TestDeadlocksMakeLanesTakeTurns writes rows whose trigger locks in opposite
// orders, from two lanes at once.
func TestDeadlocksMakeLanesTakeTurns(t *testing.T) {
	f := setup(t)
	f.exec(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = 10', current_database()); END $$`)
	f.exec(`CREATE FUNCTION crossed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		PERFORM pg_advisory_xact_lock(CASE WHEN NEW.note = 'down' THEN 499 - NEW.k % 500 ELSE NEW.k % 500 END);
		RETURN NEW; END $$`)
	f.exec(`CREATE TRIGGER crossed BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION crossed()`)
	s := f.pinned(2)
	claims := f.claims(s, 2)
	// round lands one batch of each partition, and counts deadlocks.
	round := func(n int64) (deadlocks int) {
		var batches [2]*sinkd.Batch
		var errs [2]error
		for lane := range batches {
			r := from(&claims[lane], 500*n, 500*n+500)
			var records []*sinkd.Record
			for n := range r.Records.Len() {
				record := r.Records.At(n)
				record.Value = []byte([]string{"up", "down"}[lane])
				records = append(records, record)
			}
			r.Records = sinkd.RecordsOf(records...)
			batches[lane] = f.batch(r)
		}
		var both sync.WaitGroup
		for lane := range batches {
			both.Go(func() { errs[lane] = s.Apply(t.Context(), lane, batches[lane]) })
		}
		both.Wait()
		for lane, err := range errs {
			if err == nil {
				continue
			}
			if e := f.class(err, sinkd.Transient); e.SQLState != "40P01" {
				t.Fatal(err)
			}
			deadlocks++
			f.must(s.Apply(t.Context(), lane, batches[lane]))
		}
		return deadlocks
	}
	n := int64(0)
	for seen := 0; seen < 3; n++ {
		if n == 200 {
			t.Fatalf("%d deadlocks in %d rounds", seen, n)
		}
		seen += round(n)
	}
	for range 30 {
		if round(n) > 0 {
			t.Fatal("a deadlock where lanes take turns")
		}
		n++
	}
	if rows := one[int64](f, `SELECT count(*) FROM target`); rows != 1000*n {
		t.Errorf("%d rows, want %d", rows, 1000*n)
	}
}
