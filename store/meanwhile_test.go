package store_test

import (
	"testing"

	"github.com/sinkd/sinkd"
)

// Upserts leave tables alone that inherit from theirs.
func TestMergeBesideHeirs(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text); CREATE TABLE heir () INHERITS (target);
		INSERT INTO heir VALUES (1, 'heir'), (2, 'heir')`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	g.write("0 w k=1 a=x")
	g.write("0 w k=1 a=y; 0 w k=2 a=y")
	if got := one[string](f, `SELECT string_agg(concat(tableoid::regclass, k, a), ' ' ORDER BY tableoid::regclass::text, k) FROM target`); got != "heir1heir heir2heir target1y target2y" {
		t.Errorf("rows %s", got)
	}
}

// A table that knows no MERGE gets upserts all the same.
func TestMergeUnknown(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text); CREATE RULE gone AS ON DELETE TO target DO ALSO NOTHING`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	g.write("0 w k=1 a=x")
	g.write("0 w k=1 a=y; 0 w k=2 a=y")
	if got := g.rows(); got != "(1,y) (2,y)" {
		t.Errorf("rows %s", got)
	}
}

// A key that another writer inserts while rows are merged gets what the batch has
// for it, by a statement that knows of conflicts; so does the next batch.
func TestMergeMeanwhile(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text); CREATE TABLE seen (n serial, said text);
		CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen (said) VALUES (left(current_query(), 6)); RETURN NULL; END';
		CREATE TRIGGER u AFTER UPDATE ON target FOR EACH STATEMENT EXECUTE FUNCTION say()`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	g.write("0 w k=1 a=x")
	g.write("0 w k=1 a=y") // The next batch has no trial of COPY.
	f.exec(`BEGIN; INSERT INTO target VALUES (2, 'other')`)
	applied := make(chan error)
	b := g.batch(eventsOf("0 w k=1 a=z; 0 w k=2 a=z; 0 w k=3 a=z"))
	go func() { applied <- g.store.Apply(t.Context(), 0, b) }()
	f.until(`SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'transactionid' AND NOT l.granted AND a.datname = current_database()`)
	f.exec(`COMMIT`)
	f.must(<-applied)
	g.moved(b)
	g.write("0 w k=2 a=w")
	if got := g.rows(); got != "(1,z) (2,w) (3,z)" {
		t.Errorf("rows %s", got)
	}
	want := "MERGE INSERT INSERT"
	if one[int](f, `SELECT current_setting('server_version_num')::int`) < 150000 {
		want = "INSERT INSERT INSERT"
	}
	if got := one[string](f, `SELECT string_agg(rtrim(said), ' ' ORDER BY n) FROM seen`); got != want {
		t.Errorf("statements %s, want %s", got, want)
	}
}
