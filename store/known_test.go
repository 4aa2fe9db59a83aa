package store_test

import (
	"testing"

	"github.com/sinkd/sinkd"
)

// A key that another writer inserts while rows are looked up, which lack a column
// that an insert checks, gets what the batch has for it.
func TestKnownMeanwhile(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text DEFAULT 'd' CHECK (a <> ''), b text);
		CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END';
		CREATE TRIGGER pause AFTER UPDATE ON target FOR EACH STATEMENT EXECUTE FUNCTION pause()`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	g.write("0 w k=2 a=x b=x")
	f.exec(`SELECT pg_advisory_lock(1)`)
	applied := make(chan error)
	b := g.batch(eventsOf("0 w k=1 b=y; 0 w k=2 b=y"))
	go func() { applied <- g.store.Apply(t.Context(), 0, b) }()
	f.until(`SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	f.exec(`INSERT INTO target VALUES (1, 'z', 'z'); SELECT pg_advisory_unlock(1)`)
	f.must(<-applied)
	if got := g.rows(); got != "(1,z,y) (2,x,y)" {
		t.Errorf("rows %s", got)
	}
}
