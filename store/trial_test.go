package store_test

import (
	"testing"

	"github.com/sinkd/sinkd"
)

// A session that ends while the first try is rolled back, which met keys that
// the table has, costs a try and nothing else.
func TestSessionLostBetweenTrialAndMerge(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text); INSERT INTO target VALUES (1, 'x')`)
	proxy := f.proxied()
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	b := g.batch(eventsOf("0 w k=1 a=y; 0 w k=2 a=y"))
	fault := proxy.CutBefore("ROLLBACK", 1)
	f.class(g.store.Apply(f.Context(), 0, b), sinkd.Transient)
	f.must(fault.Wait(f.Context()))
	f.must(g.store.Apply(f.Context(), 0, b))
	if rows := g.rows(); rows != "(1,y) (2,y)" {
		t.Errorf("rows %s", rows)
	}
}

// Rows that stand for several records of their key are merged apart from the
// others where the table has their keys, and with them where it has others' too.
func TestTrialOfRepeated(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text); CREATE TABLE seen (said text);
		CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen SELECT lower(TG_OP) || count(*) FROM fresh; RETURN NULL; END';
		CREATE TRIGGER i AFTER INSERT ON target REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION say();
		CREATE TRIGGER u AFTER UPDATE ON target REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION say()`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	for _, step := range []struct {
		log      string
		repeated int
		// statements are those that landed, with the rows that each wrote.
		statements, rows string
	}{
		{"0 w k=1 a=x; 0 w k=2 a=x; 0 w k=3 a=x", 2, "insert1 insert2", "(1,x) (2,x) (3,x)"},
		{"0 w k=4 a=y; 0 w k=5 a=y; 0 w k=1 a=y", 1, "insert0 insert2 update1", "(1,y) (2,x) (3,x) (4,y) (5,y)"},
		{"0 w k=6 a=z; 0 w k=1 a=z; 0 w k=2 a=z", 2, "insert0 insert1 update2", "(1,z) (2,z) (3,x) (4,y) (5,y) (6,z)"},
		{"0 w k=6 a=v; 0 w k=7 a=v; 0 w k=1 a=v", 1, "insert1 update2", "(1,v) (2,z) (3,x) (4,y) (5,y) (6,v) (7,v)"},
	} {
		f.exec(`TRUNCATE seen`)
		b := g.batch(eventsOf(step.log))
		for n := len(b.Rows[0].Row) - step.repeated; n < len(b.Rows[0].Row); n++ {
			b.Rows[0].Repeated = append(b.Rows[0].Repeated, int32(n))
		}
		f.must(g.store.Apply(f.Context(), 0, b))
		g.moved(b)
		if got := one[string](f, `SELECT string_agg(said, ' ' ORDER BY said) FROM seen`); got != step.statements {
			t.Errorf("%s: %s, want %s", step.log, got, step.statements)
		}
		if got := g.rows(); got != step.rows {
			t.Errorf("%s: rows %s", step.log, got)
		}
	}
}
