package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

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
// for it, by a statement that knows of conflicts.
func TestMergeMeanwhile(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text)`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	g.write("0 w k=1 a=x")
	g.write("0 w k=1 a=y") // The next batch has no trial of COPY.
	other, err := pgx.Connect(f.Context(), f.url)
	f.must(err)
	defer func() { _ = other.Close(t.Context()) }()
	tx, err := other.Begin(f.Context())
	f.must(err)
	_, err = tx.Exec(f.Context(), `INSERT INTO target VALUES (2, 'other')`)
	f.must(err)
	applied := make(chan error, 1)
	b := g.batch(eventsOf("0 w k=1 a=z; 0 w k=2 a=z; 0 w k=3 a=z"))
	go func() { applied <- g.store.Apply(t.Context(), 0, b) }()
	f.until(`SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'transactionid' AND NOT l.granted AND a.datname = current_database()
		AND (a.query LIKE 'MERGE%' OR current_setting('server_version_num')::int < 150000)`)
	f.must(tx.Commit(f.Context()))
	f.must(<-applied)
	if got := g.rows(); got != "(1,z) (2,z) (3,z)" {
		t.Errorf("rows %s", got)
	}
}

// A trigger that was made after the table was read sees all rows.
func TestMergeSparesNoTrigger(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text);
		CREATE FUNCTION louder() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a = upper(NEW.a); RETURN NEW; END'`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	g.write("0 w k=1 a=x")
	g.write("0 w k=1 a=y")
	f.exec(`CREATE TRIGGER louder BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION louder()`)
	err := g.store.Apply(f.Context(), 0, g.batch(eventsOf("0 w k=1 a=z; 0 w k=2 a=z")))
	if err != nil { // what was read is not true any more
		f.class(err, sinkd.Schema)
		table, err := g.store.Table(f.Context(), g.route, "t")
		f.must(err)
		g.table = table
		g.write("0 w k=1 a=z; 0 w k=2 a=z")
	}
	if got := g.rows(); got != "(1,Z) (2,Z)" {
		t.Errorf("rows %s", got)
	}
}
