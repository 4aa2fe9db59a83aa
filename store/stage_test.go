package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
)

// Row-level security applies to a role that is not the owner: COPY refuses the
// table, statements obey the policy.
func TestRowLevelSecurity(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text);
		ALTER TABLE target ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON target USING (coalesce(a, '') <> 'secret')`)
	as, name := f.role()
	f.exec(`GRANT USAGE ON SCHEMA sinkd TO ` + name + `; GRANT ALL ON ALL TABLES IN SCHEMA sinkd TO ` + name + `; GRANT ALL ON target TO ` + name)
	g := as.target(as.pinned(1), keyed("target", sinkd.Append), 1)
	if !g.table.Staged {
		t.Fatal("COPY would be refused")
	}
	g.write("0 w k=1 a=x; 0 w k=2")
	e := f.class(g.store.Apply(f.Context(), 0, g.batch(eventsOf("0 w k=3 a=secret"))), sinkd.Schema)
	if e.SQLState != "42501" || e.Table != "public.target" {
		t.Errorf("%+v", e)
	}
	g.route = keyed("target", sinkd.Upsert)
	g.write("0 w k=1 a=y; 0 d k=2; 0 w k=4 a=z")
	if got := g.rows(); got != "(1,y) (4,z)" {
		t.Errorf("rows %s", got)
	}
}

// What Postgres refuses of a single staged record is told by name, without its
// values, and costs no other.
func TestStagedRefusals(t *testing.T) {
	for _, test := range []struct {
		name, ddl, log, state string
		text                  []string
		says                  []string
	}{
		{"check", `CREATE TABLE target (k bigint PRIMARY KEY, a text CONSTRAINT short CHECK (length(a) < 5))`, "0 d k=9; 0 w k=1 a=secret", "23514", nil, []string{`"target"`, `"short"`}},
		{"not null", `CREATE TABLE target (k bigint PRIMARY KEY, a text NOT NULL)`, "0 d k=9; 0 w k=1", "23502", nil, []string{`"target"`, `column "a"`}},
		{"another unique index", `CREATE TABLE target (k bigint PRIMARY KEY, a text UNIQUE); INSERT INTO target VALUES (5, 'secret')`, "0 w k=1 a=secret", "23505", nil, []string{`"target_a_key"`}},
		{"text form of the second", `CREATE TABLE target (k bigint PRIMARY KEY, p point, r int4range)`, "0 w k=1 p=(1,2) r=secret", "22P02", []string{"p", "r"}, []string{"column r (int4range)"}},
		{"domain", `CREATE DOMAIN few AS int CHECK (VALUE < 5); CREATE TABLE target (k bigint PRIMARY KEY, a few)`, "0 d k=9; 0 w k=1 a=7777", "23514", nil, []string{"few_check", "few"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := setup(t)
			f.exec(`DROP TABLE target; ` + test.ddl)
			g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
			g.text = test.text
			e := f.class(g.store.Apply(f.Context(), 0, g.batch(eventsOf(test.log))), sinkd.Data)
			if e.SQLState != test.state || e.Table != "public.target" || e.Topic != "t" {
				t.Errorf("%+v", e)
			}
			for _, says := range test.says {
				if !strings.Contains(e.Err.Error(), says) {
					t.Errorf("no %s in %q", says, e)
				}
			}
			for _, secret := range []string{"secret", "7777"} {
				if strings.Contains(e.Error(), secret) {
					t.Errorf("row data in %q", e)
				}
			}
			g.write("0 d k=1")
		})
	}
}

// COPY into a stage names the record, whatever list of columns it is of.
func TestStagedCopyNamesTheRecord(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TYPE mood AS ENUM ('good'); CREATE TABLE target (k numeric PRIMARY KEY, m mood, a int)`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	g.unfolded = true
	e := f.class(g.store.Apply(f.Context(), 0, g.batch(eventsOf("0 w k=1 a=1; 0 w k=2 m=good; 0 w k=3 a=1; 0 w k=4 m=bad; 0 d k=5"))), sinkd.Data)
	if e.Record == nil || e.Record.Offset != 3 || !strings.Contains(e.Error(), "column m (mood)") {
		t.Errorf("%+v", e)
	}
}

// The session's stages and statements outlive changes of the table.
func TestStagedTableChanges(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a int)`)
	s := f.pinned(1)
	g := f.target(s, keyed("target", sinkd.Upsert), 1)
	g.write("0 d k=9; 0 w k=1 a=1")
	f.exec(`ALTER TABLE target ALTER a TYPE bigint`)
	f.class(s.Apply(f.Context(), 0, g.batch(eventsOf("0 d k=9; 0 w k=2 a=2"))), sinkd.Schema)
	f.exec(`DROP TABLE target`)
	f.class(s.Apply(f.Context(), 0, g.batch(eventsOf("0 d k=9; 0 w k=3 a=3"))), sinkd.Schema)
	f.exec(`CREATE TABLE target (k bigint PRIMARY KEY, a text)`)
	f.class(s.Apply(f.Context(), 0, g.batch(eventsOf("0 d k=9; 0 w k=3 a=3"))), sinkd.Schema)
	table, err := s.Table(f.Context(), g.route, "t")
	f.must(err)
	g.table = table
	g.write("0 d k=9; 0 w k=4 a=x")
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint, a text)`)
	f.class(s.Apply(f.Context(), 0, g.batch(eventsOf("0 d k=9; 0 w k=5 a=3"))), sinkd.Schema)
}

// Stages are made once a session and bounded, however many lists there are.
func TestStagesAreReused(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a int)`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	for range 3 {
		g.write("0 d k=9; 0 w k=1 a=1; 0 w k=2")
	}
	if n := one[int](f, `SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'`); n != 3 {
		t.Errorf("%d stages", n)
	}
	if n := one[int](f, `SELECT count(DISTINCT backend_start) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'sinkd/%'`); n > 3 {
		t.Errorf("%d sessions", n)
	}
}

// A table with a key is entered by COPY for as long as keys are new; after a
// batch with another the trials get rarer, and what lands is the same.
func TestTrialsBackOff(t *testing.T) {
	f := setup(t)
	// A trial that fails is rolled back, but not what it drew from a sequence.
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text); CREATE SEQUENCE inserts;
		CREATE FUNCTION draw() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM nextval(''inserts''); RETURN NEW; END';
		CREATE TRIGGER draw BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION draw()`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Ignore), 1)
	tried := func(log string) string {
		before := one[int64](f, `SELECT last_value FROM inserts`)
		g.write(log)
		return map[bool]string{true: "T", false: "m"}[one[int64](f, `SELECT last_value FROM inserts`)-before == 2]
	}
	g.write("0 w k=1 a=x")
	var got string
	for range 20 {
		got += tried("0 w k=1 a=y")
	}
	if want := "TmTmmTmmmmTmmmmmmmmT"; got != want {
		t.Errorf("trials %s, want %s", got, want)
	}
	if rows := g.rows(); rows != "(1,x)" {
		t.Errorf("rows %s", rows)
	}
	if n := one[int](f, `SELECT sum(skipped)::int FROM sinkd.batches`); n != 20 {
		t.Errorf("%d skipped", n)
	}
}

// A trial is no refusal: a list without a required column updates a row that
// COPY would refuse for what it lacks.
func TestTrialOfPartialRows(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text NOT NULL, b text); INSERT INTO target VALUES (1, 'x')`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	g.write("0 w k=1 b=y")
	e := f.class(g.store.Apply(f.Context(), 0, g.batch(eventsOf("0 w k=2 b=y"))), sinkd.Data)
	if rows := g.rows(); rows != "(1,x,y)" || e.SQLState != "23502" {
		t.Errorf("rows %s, %v", rows, e)
	}
}

// What is counted is counted once, also where the first COMMIT had no answer.
func TestCountsAfterALostCommit(t *testing.T) {
	for name, arm := range map[string]func(*lab.Proxy) *lab.Fault{
		"landed": func(p *lab.Proxy) *lab.Fault { return p.CutAfterCommit(1) },
		"lost":   func(p *lab.Proxy) *lab.Fault { return p.CutBeforeCommit(1) },
	} {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text); INSERT INTO target VALUES (1, 'x'), (2, 'x')`)
			proxy := f.proxied()
			proxy.MatchCopies()
			g := f.target(f.pinned(2), keyed("target", sinkd.Ignore), 2)
			fault := arm(proxy)
			b := g.write("0 w k=1 a=y; 0 w k=3 a=y; 1 w k=2 a=y")
			f.must(fault.Wait(f.Context()))
			if got := g.counts(); got != "1/1 0/1" {
				t.Errorf("counts %s", got)
			}
			if c := b.Ranges[0].Count; c.Rows != 1 || c.Skipped != 1 {
				t.Errorf("the batch counts %+v", c)
			}
			if rows := g.rows(); rows != "(1,x) (2,x) (3,y)" {
				t.Errorf("rows %s", rows)
			}
		})
	}
}

// A table that was empty when its statements were first planned, and has grown
// since, is looked up by its key.
func TestMergeGoesByTheKeysIndex(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text NOT NULL, b text) WITH (autovacuum_enabled = off)`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	g.write("0 d k=1; 0 w k=2 a=x")
	for range 4 {
		f.exec(`INSERT INTO target SELECT n, 'x' FROM generate_series(2, 6000) n ON CONFLICT DO NOTHING`)
		var log strings.Builder
		for k := range 1500 {
			fmt.Fprintf(&log, "0 d k=%d; 0 w k=%d b=x; 0 w k=%d a=x;", 3*k+3, 3*k+4, 3*k+5)
		}
		g.write(log.String())
	}
	f.until(`SELECT idx_scan > 10000 FROM pg_stat_user_tables WHERE relname = 'target'`)
	if n := one[int](f, `SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'target'`); n > 1 { // one made the index
		t.Errorf("%d sequential scans", n)
	}
}

// More lists than a session keeps statements for.
func TestHundredsOfLists(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, c0 int DEFAULT 0, c1 int DEFAULT 0, c2 int DEFAULT 0, c3 int DEFAULT 0,
		c4 int DEFAULT 0, c5 int DEFAULT 0, c6 int DEFAULT 0, c7 int DEFAULT 0, c8 int DEFAULT 0)`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Append), 1)
	for round := range 2 {
		var log strings.Builder
		for n := range 300 {
			fmt.Fprintf(&log, "0 w k=%d", 1000*round+n)
			for c := range 9 {
				if n>>c&1 == 1 {
					fmt.Fprintf(&log, " c%d=%d", c, 1<<c)
				}
			}
			log.WriteString(";")
		}
		g.write(log.String())
	}
	if n := one[int](f, `SELECT count(*) FROM target WHERE k % 1000 = c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8`); n != 600 {
		t.Errorf("%d rows", n)
	}
}

// Types of extensions are compared by operators that are not pg_catalog's.
func TestExtensionTypes(t *testing.T) {
	f := setup(t)
	if one[int](f, `SELECT count(*) FROM pg_available_extensions WHERE name IN ('citext', 'hstore')`) < 2 {
		t.Skip("this server has no contrib modules")
	}
	f.exec(`DROP TABLE target; CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION hstore SCHEMA ext;
		CREATE TABLE target (k ext.citext PRIMARY KEY, h ext.hstore)`)
	g := f.target(f.pinned(2), keyed("target", sinkd.Upsert), 2)
	g.unfolded, g.text = true, []string{"k", "h"}
	g.write("0 w k=A h=a=>1; 0 w k=a h=a=>2; 1 w k=B")
	g.write("0 d k=b; 0 w k=C h=c=>1; 1 w k=a")
	g.route = keyed("target", sinkd.Ignore)
	g.write("0 w k=c h=c=>2; 1 w k=d; 1 w k=D")
	if got := g.rows(); got != `(A,"""a""=>""2""") (C,"""c""=>""1""") (d,)` {
		t.Errorf("rows %s", got)
	}
	if got := g.counts(); got != "0/1 1/1" {
		t.Errorf("counts %s", got)
	}
}

// A session has a bounded number of stages: it is renewed beyond.
func TestStagesAreBounded(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, c0 int, c1 int, c2 int, c3 int, c4 int, c5 int, c6 int)`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	for n := range 100 {
		log := fmt.Sprintf("0 d k=-1; 0 w k=%d", n)
		for c := range 7 {
			if n>>c&1 == 1 {
				log += fmt.Sprintf(" c%d=%d", c, 1<<c)
			}
		}
		g.write(log)
	}
	const sum = `coalesce(c0, 0) + coalesce(c1, 0) + coalesce(c2, 0) + coalesce(c3, 0) + coalesce(c4, 0) + coalesce(c5, 0) + coalesce(c6, 0)`
	if n := one[int](f, `SELECT count(*) FROM target WHERE k = `+sum); n != 100 {
		t.Errorf("%d rows", n)
	}
	if n := one[int](f, `SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'`); n > 66 {
		t.Errorf("%d stages", n)
	}
}

// Stages need a right of their own, which is named where it is missing.
func TestRightToStages(t *testing.T) {
	f := setup(t)
	f.exec(`REVOKE TEMPORARY ON DATABASE ` + one[string](f, `SELECT quote_ident(current_database())`) + ` FROM PUBLIC;
		DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text)`)
	as, name := f.role()
	f.exec(`GRANT USAGE ON SCHEMA sinkd TO ` + name + `; GRANT ALL ON ALL TABLES IN SCHEMA sinkd TO ` + name + `; GRANT ALL ON target TO ` + name)
	g := as.target(as.pinned(1), keyed("target", sinkd.Upsert), 1)
	e := f.class(g.store.Apply(f.Context(), 0, g.batch(eventsOf("0 d k=1; 0 w k=1 a=x"))), sinkd.Schema)
	if e.Table != "public.target" || e.Topic != "t" {
		t.Errorf("%+v", e)
	}
	f.grant(e.Hint)
	g.write("0 d k=1; 0 w k=1 a=x")
}

// How long a merge took is told apart from the COMMIT, with which it shares a
// round trip.
func TestMergeIsTimed(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text); CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END'; CREATE TRIGGER slow BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION slow()`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	if b := g.write("0 d k=1; 0 w k=1 a=x"); b.Timing.Merge < 300*time.Millisecond {
		t.Errorf("timing %+v", b.Timing)
	}
}
