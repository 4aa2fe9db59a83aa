package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// sifting is a table and a log some of whose records it refuses.
type sifting struct {
	name, ddl string
	mode      sinkd.Mode
	// change is done after the table was read.
	change string
	// alone tells that refused records are not found together.
	alone bool
}

// siftings refuse what has x in a, is not positive in b, or lacks one of them.
var siftings = []sifting{
	{name: "several constraints", ddl: `(k int, a text NOT NULL, b int NOT NULL, CONSTRAINT zz CHECK (a <> 'x'), CONSTRAINT aa CHECK (b > 0), CONSTRAINT mm CHECK (length(a) < b))`},
	{name: "null passes a check", ddl: `(k int, a text CHECK (a <> 'x'), b int CHECK (b > 0), CHECK (NOT (a = 'x' AND b > 5)))`},
	{name: "not valid", ddl: `(k int, a text, b int); ALTER TABLE target ADD CHECK (b > 0) NOT VALID`},
	{name: "a constant and a check", ddl: `(k int, a text CHECK (a <> 'x'), b int, CHECK (true))`},
	{name: "names to be quoted", ddl: `(k int, a text, b int, "K "" k" int, CONSTRAINT "it's" CHECK (a <> 'x' AND "K "" k" IS NULL), CHECK (b::text !~ '^\d$'))`},
	{name: "other columns", ddl: `(id bigint GENERATED ALWAYS AS IDENTITY (MINVALUE 5 MAXVALUE 6 INCREMENT 2 CYCLE), at timestamptz NOT NULL DEFAULT date_trunc('year', now()), k int, s text NOT NULL DEFAULT 'new' CHECK (s IN ('new', 'old')), a text NOT NULL, b int CHECK (b > 0), c int GENERATED ALWAYS AS (b / 2) STORED)`},
	{name: "a function", ddl: `(k int, a text, b int); CREATE FUNCTION good(a text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN a <> ''x''; END'; ALTER TABLE target ADD CHECK (good(a))`},
	{name: "a function that lies", ddl: `(k int, a text, b int, CONSTRAINT aa CHECK (a <> 'x')); CREATE FUNCTION good(a text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN current_query() NOT LIKE ''%pg_temp%''; END'; ALTER TABLE target ADD CONSTRAINT bb CHECK (good(a))`},
	{name: "a domain that takes all", ddl: `(k int, a text); CREATE DOMAIN few AS int CHECK (VALUE < 100); ALTER TABLE target ADD b few CHECK (b > 0)`},
	{name: "a partition", ddl: `_all (k int, a text, b int CHECK (b > 0)) PARTITION BY RANGE (k); CREATE TABLE target PARTITION OF target_all (CHECK (a <> 'x')) FOR VALUES FROM (0) TO (100)`},
	{name: "not enforced for the children", ddl: `(k int, a text, b int, CHECK (a <> 'x') NO INHERIT)`},
	{name: "trigger behind", ddl: `(k int, a text, b int CHECK (b > 0)); CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER t AFTER INSERT ON target FOR EACH ROW EXECUTE FUNCTION same()`},

	{name: "an error", alone: true, ddl: `(k int, a text CHECK (a <> 'x'), b int CHECK (10 / b > 0))`},
	{name: "an error behind", ddl: `(k int, a text CHECK (a <> 'x'), b int, CHECK (b > 0), CONSTRAINT z CHECK (b = 0 OR 10 / b > 0))`},
	{name: "a function that raises", alone: true, ddl: `(k int, a text CHECK (a <> 'x'), b int); CREATE FUNCTION good(b int) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN IF b < 1 THEN RAISE EXCEPTION ''no''; END IF; RETURN true; END'; ALTER TABLE target ADD CHECK (good(b))`},
	{name: "a domain", alone: true, ddl: `(k int, a text CHECK (a <> 'x')); CREATE DOMAIN few AS int CHECK (VALUE > 0); ALTER TABLE target ADD b few`},
	{name: "volatile", alone: true, ddl: `(k int, a text CHECK (a <> 'x' AND random() < 2), b int)`},
	{name: "what the session says", alone: true, ddl: `(k int, a text CHECK (a <> 'x' AND current_user <> a), b int)`},
	{name: "the whole row", alone: true, ddl: `(k int, a text, b int, CHECK ((target.*) IS NOT NULL))`},
	{name: "where it is", alone: true, ddl: `(k int, a text, b int); DO $$ BEGIN EXECUTE format('ALTER TABLE target ADD CHECK (tableoid = %s::oid AND a <> ''x'')', 'target'::regclass::oid); END $$`},
	{name: "a generated column's check", alone: true, ddl: `(k int, a text, b int, c int GENERATED ALWAYS AS (-b) STORED CHECK (c < 0))`},
	{name: "a generated column's not null", alone: true, ddl: `(k int, a text, b int CHECK (b > 0), c int NOT NULL GENERATED ALWAYS AS (b) STORED)`},
	{name: "a generated column's error", alone: true, ddl: `(k int, a text CHECK (a <> 'x'), b int, c int GENERATED ALWAYS AS (1 / b) STORED)`},
	{name: "with a column that is not given", alone: true, ddl: `(k int, a text CHECK (a <> 'x'), b int, s int DEFAULT 5, CHECK (b < s))`},
	{name: "partitions", alone: true, ddl: `(k int, a text, b int CHECK (b > 0)) PARTITION BY RANGE (k); CREATE TABLE target_1 PARTITION OF target (CHECK (a <> 'x')) FOR VALUES FROM (0) TO (6); CREATE TABLE target_2 PARTITION OF target DEFAULT`},
	{name: "trigger before", alone: true, ddl: `(k int, a text CHECK (a <> 'x'), b int)` + mending},
	{name: "trigger since", alone: true, ddl: `(k int, a text CHECK (a <> 'x'), b int)`, change: `SELECT` + mending},

	{name: "upsert", mode: sinkd.Upsert, ddl: `(k int PRIMARY KEY, a text CHECK (a <> 'x'), b int NOT NULL)`},
	{name: "upsert of what is there", mode: sinkd.Upsert, ddl: `(k int PRIMARY KEY, a text CHECK (a <> 'x'), b int NOT NULL); INSERT INTO target SELECT n, 'was', 1 FROM generate_series(1, 20, 2) n`},
	{name: "upsert of parts", mode: sinkd.Upsert, alone: true, ddl: `(k int PRIMARY KEY, a text CHECK (a <> 'x'), b int NOT NULL, c int); INSERT INTO target SELECT n, 'was', 1 FROM generate_series(1, 20, 2) n`},
	{name: "upsert by version", mode: sinkd.Upsert, alone: true, ddl: `(k int PRIMARY KEY, a text CHECK (a <> 'x'), b int CHECK (b > 0)); INSERT INTO target SELECT n, 'was', 6 FROM generate_series(1, 20, 2) n`},
	{name: "ignore", mode: sinkd.Ignore, alone: true, ddl: `(k int PRIMARY KEY, a text CHECK (a <> 'x'), b int NOT NULL); INSERT INTO target SELECT n, 'was', 1 FROM generate_series(1, 20, 2) n`},
}

// mending is a trigger that makes some rows good.
const mending = `; CREATE FUNCTION mend() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a = ''mended''; RETURN NEW; END';
	CREATE TRIGGER mend BEFORE INSERT ON target FOR EACH ROW WHEN (NEW.k > 4) EXECUTE FUNCTION mend()`

// mixture is a log of good records and bad ones, some of them twice bad.
const mixture = `0 w k=1 a=y b=9; 0 w k=2 a=x b=9; 0 w k=3 a=y b=-1; 0 w k=4 a=x b=-1; 0 w k=5 a=null b=9; 0 w k=6 a=y b=null; 0 w k=7 a=null b=null;
	0 w k=8 a=x b=null; 0 w k=9 a=y b=0; 0 w k=10 a=yyyyyyyyyy b=9; 0 w k=11 a=x b=2; 0 w k=12 a=null b=-1; 0 w k=13 a=y b=20; 0 w k=14 a=y b=5`

// What a table refuses is found all at once, where it can be, and is what it
// refuses of single inserts, for the same reason; all else lands.
func TestSift(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	for _, c := range siftings {
		t.Run(c.name, func(t *testing.T) {
			f := *f
			f.TB = t
			c.run(&f, s)
		})
	}
}

func (c *sifting) run(f *fixture, s *store.Store) {
	f.exec(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE target` + c.ddl)
	f.exec(`TRUNCATE sinkd.batches, sinkd.dead_letters`)
	route := keyed("target", c.mode)
	if c.name == "upsert by version" {
		route.Version = "b"
	}
	g := f.target(s, route, 1)
	if c.change != "" {
		f.exec(c.change)
	}
	events := eventsOf(mixture)
	rows, dead := g.inserted(events)
	if found := g.settle(events); len(dead) < 2 || found != map[bool]int{true: 0, false: len(dead)}[c.alone] {
		f.Errorf("%d of %d found at once", found, len(dead))
	}
	if got := g.rows(); got != rows {
		f.Errorf("rows %s\nwant %s", got, rows)
	}
	got := one[[]string](f, `SELECT array_agg(concat_ws(' ', record_offset, sqlstate, reason) ORDER BY record_offset) FROM sinkd.dead_letters WHERE stage = 'write'`)
	if !slices.EqualFunc(got, dead, said) {
		f.Errorf("dead\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(dead, "\n"))
	}
	if !one[bool](f, `SELECT sum(records) = sum(rows + skipped + dead) AND sum(records) = $1 AND sum(dead) = $2 FROM sinkd.batches`, len(events), len(dead)) {
		f.Errorf("the ledger does not add up")
	}
}

// said tells that a reason is the message, behind the name of the column if COPY
// has one.
func said(got, want string) bool {
	word := strings.SplitN(want, " ", 3)
	return got == want || strings.HasPrefix(got, word[0]+" "+word[1]+" column ") && strings.HasSuffix(got, ": "+word[2])
}

// inserted gives what single statements would make of the events: the table's
// rows, and what was refused, by offset.
func (g *target) inserted(events []event) (rows string, dead []string) {
	g.Helper()
	g.exec(`BEGIN`)
	for offset, e := range events {
		g.exec(`SAVEPOINT one`)
		if _, err := g.db.Exec(g.Context(), g.insert(e)); err != nil {
			pg, _ := errors.AsType[*pgconn.PgError](err)
			dead = append(dead, fmt.Sprintf("%d %s %s", g.next[0]+int64(offset), pg.Code, pg.Message))
			g.exec(`ROLLBACK TO SAVEPOINT one`)
		}
	}
	rows = g.rows()
	g.exec(`ROLLBACK`)
	return rows, dead
}

// insert is the statement that has an event's effect alone.
func (g *target) insert(e event) string {
	var columns, values, sets []string
	for _, field := range e.fields {
		column, value := pgx.Identifier{field[0]}.Sanitize(), "'"+field[1]+"'"
		if field[1] == "null" {
			value = "NULL"
		}
		columns, values, sets = append(columns, column), append(values, value), append(sets, column+" = excluded."+column)
	}
	sql := "INSERT INTO target AS t (" + strings.Join(columns, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"
	switch g.route.Mode {
	case sinkd.Ignore:
		sql += " ON CONFLICT DO NOTHING"
	case sinkd.Upsert:
		sql += " ON CONFLICT (k) DO UPDATE SET " + strings.Join(sets, ", ")
		if g.route.Version != "" {
			sql += " WHERE t.b IS NULL OR excluded.b >= t.b"
		}
	}
	return sql
}

// settle lands the events as a lane does, and tells how many dead letters were
// found at the first refusal.
func (g *target) settle(events []event) (found int) {
	g.Helper()
	b := g.batch(events)
	e := g.class(g.store.Apply(g.Context(), 0, b), sinkd.Data)
	found = len(e.Dead)
	if found > 0 {
		if b.Bury(e.Dead...) == 0 {
			g.Fatal("no row is gone")
		}
		g.must(g.store.Apply(g.Context(), 0, b))
		g.moved(b)
		return found
	}
	for _, one := range events {
		b := g.batch([]event{one})
		if err := g.store.Apply(g.Context(), 0, b); err != nil {
			e := g.class(err, sinkd.Data)
			r := &b.Ranges[0]
			b.Rows, b.Dead, r.Count = nil, []sinkd.DeadLetter{e.Letter(r.Records.At(0))}, sinkd.Count{Dead: 1}
			g.must(g.store.Apply(g.Context(), 0, b))
		}
		g.moved(b)
	}
	return found
}

// Rows are told apart by their order in the stream, however they lie in the
// stage: a long row leaves room behind it that a later one fills.
func TestSiftOfRowsOfAllLengths(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k int, a text, b int CHECK (b > 0))`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Append), 1)
	f.exec(`ALTER TABLE target ALTER a SET STORAGE EXTERNAL`)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range 3 {
		var log strings.Builder
		for k := range 400 {
			fmt.Fprintf(&log, "0 w k=%d a=%s b=%d;", k, strings.Repeat("y", 1+r.IntN(1900)), r.IntN(3)-r.IntN(20)/19)
		}
		events := eventsOf(log.String())
		bad := slices.DeleteFunc(slices.Clone(events), func(e event) bool { return e.fields[2][1] > "0" })
		b := g.batch(events)
		e := f.class(g.store.Apply(f.Context(), 0, b), sinkd.Data)
		b.Bury(e.Dead...)
		f.must(g.store.Apply(f.Context(), 0, b))
		g.moved(b)
		if len(e.Dead) != len(bad) || len(bad) < 50 {
			t.Errorf("seed %d, round %d: %d found of %d", seed, round, len(e.Dead), len(bad))
		}
	}
}

// Rows that lack columns which have defaults are looked for list by list.
func TestSiftOfSeveralLists(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k int, a text NOT NULL DEFAULT 'new' CHECK (a <> 'x'), b int DEFAULT 1 CHECK (b > 0))`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Append), 1)
	b := g.batch(eventsOf("0 w k=0 a=x; 0 w k=1 b=0; 0 w k=2; 0 w k=3 a=x b=0; 0 w k=4 a=y; 0 w k=5 b=0; 0 w k=6 a=null b=5"))
	e := f.class(g.store.Apply(f.Context(), 0, b), sinkd.Data)
	b.Bury(e.Dead...)
	f.must(g.store.Apply(f.Context(), 0, b))
	got := one[string](f, `SELECT string_agg(record_offset || ' ' || sqlstate, ', ' ORDER BY record_offset) FROM sinkd.dead_letters`)
	if want := "0 23514, 1 23514, 3 23514, 5 23514, 6 23502"; got != want || g.rows() != "(2,new,1) (4,y,1)" {
		t.Errorf("dead %s, want %s; rows %s", got, want, g.rows())
	}
}

// Nothing is found where rows were encoded for another table, or stand for more
// records than one.
func TestSiftOfWhatIsNotCertain(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k int PRIMARY KEY, a bigint CHECK (a > 1))`)
	s := f.pinned(1)
	g := f.target(s, keyed("target", sinkd.Upsert), 1)
	none := func(b *sinkd.Batch) {
		t.Helper()
		if e := f.class(s.Apply(f.Context(), 0, b), sinkd.Data); len(e.Dead) > 0 {
			t.Errorf("%d are found", len(e.Dead))
		}
	}
	b := g.batch(eventsOf("0 w k=1 a=5; 0 w k=2 a=0"))
	b.Ranges[0].Records.Append(sinkd.RecordsOf(&sinkd.Record{Topic: "t", Offset: 2}))
	b.Ranges[0].Until++
	b.Ranges[0].Count.Rows++
	none(b)

	g = f.target(s, keyed("target", sinkd.Append), 1)
	f.exec(`ALTER TABLE target ALTER a TYPE float8`)
	none(g.batch(eventsOf("0 w k=1 a=5; 0 w k=2 a=0")))
}

// What cannot be looked for costs little: it is tried more and more seldom.
func TestSiftsBackOff(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k int, a text CHECK (a <> 'x'))`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Append), 1)
	look := func() string {
		e := f.class(g.store.Apply(f.Context(), 0, g.batch(eventsOf("0 w k=1 a=y; 0 w k=2 a=x"))), sinkd.Data)
		return fmt.Sprint(len(e.Dead))
	}
	got := look()
	f.exec(`CREATE FUNCTION mend() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER mend BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION mend()`)
	got += look() + look() + look()
	f.exec(`DROP TRIGGER mend ON target`)
	for range 5 {
		got += look()
	}
	if want := "100000111"; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
}

// A session that is lost while rows are looked for costs nothing but that.
func TestSiftWhenTheSessionIsLost(t *testing.T) {
	f := setup(t)
	proxy := f.proxied()
	f.exec(`DROP TABLE target; CREATE TABLE target (k int, a text DEFAULT 'y' CHECK (a <> 'x'))`)
	g := f.target(f.pinned(1), keyed("target", sinkd.Append), 1)
	const log = "0 w k=1; 0 w k=2 a=y; 0 w k=3 a=x; 0 w k=4"
	fault := proxy.CutBefore("LOCK TABLE", 1)
	if e := f.class(g.store.Apply(f.Context(), 0, g.batch(eventsOf(log))), sinkd.Data); len(e.Dead) > 0 || !e.Certain {
		t.Errorf("%+v", e)
	}
	f.must(fault.Wait(f.Context()))
	f.class(g.store.Apply(f.Context(), 0, g.batch(eventsOf(log))), sinkd.Data)
	if e := f.class(g.store.Apply(f.Context(), 0, g.batch(eventsOf(log))), sinkd.Data); len(e.Dead) != 1 {
		t.Errorf("%+v", e)
	}
}
