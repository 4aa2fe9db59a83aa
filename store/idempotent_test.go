package store_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// bookless opens a store for idempotent delivery, on a database without the
// bookkeeping tables.
func (f *fixture) bookless(options ...func(*store.Config)) *store.Store {
	f.Helper()
	f.exec(`DROP SCHEMA IF EXISTS sinkd CASCADE`)
	return f.open(append(options, func(c *store.Config) { c.Idempotent = true })...)
}

// tokens are the claims of n partitions that no table keeps.
func tokens(n int) []sinkd.Claim {
	claims := make([]sinkd.Claim, n)
	for i := range claims {
		claims[i] = sinkd.Claim{Partition: sinkd.Partition{Topic: "t", ID: int32(i)}, Token: uuid.New(), Epoch: -1}
	}
	return claims
}

// replayed is a target without books.
func (f *fixture) replayed(s *store.Store, r *sinkd.Route) *target {
	f.Helper()
	table, err := s.Table(f.Context(), r, "t")
	f.must(err)
	return &target{fixture: f, store: s, table: table, route: r, claims: tokens(2), next: make([]int64, 2)}
}

// Batches that are applied again, whole or in part, leave the same rows; one
// that comes late overwrites no newer record where the rows have coordinates or
// versions.
func TestReplays(t *testing.T) {
	const places = `CREATE TABLE target (k bigint PRIMARY KEY, a text, b text DEFAULT 'd', kafka_partition int, kafka_offset bigint)`
	for _, test := range []struct {
		name, ddl string
		route     sinkd.Route
		unfolded  bool
		batches   []string
		rows      string
	}{
		{
			name: "upsert", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text)`, route: sinkd.Route{Mode: sinkd.Upsert},
			batches: []string{"0 w k=1 a=x; 0 w k=2 a=x", "0 w k=1 a=y; 0 d k=2", "0 w k=1 a=x; 0 w k=2 a=x", "0 w k=1 a=y; 0 d k=2"},
			rows:    "(1,y)",
		},
		{
			name: "ignore", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text)`, route: sinkd.Route{Mode: sinkd.Ignore},
			batches: []string{"0 w k=1 a=x; 0 w k=2 a=x", "0 w k=1 a=y; 0 w k=3 a=y", "0 w k=1 a=x; 0 w k=2 a=x"},
			rows:    "(1,x) (2,x) (3,y)",
		},
		{
			name: "an older record", ddl: places, route: sinkd.Route{Mode: sinkd.Upsert},
			batches: []string{
				"0 w k=1 a=x kafka_partition=0 kafka_offset=5; 0 w k=2 a=x kafka_partition=0 kafka_offset=6",
				"0 w k=1 a=old kafka_partition=0 kafka_offset=4; 0 w k=2 a=same kafka_partition=0 kafka_offset=6; 0 w k=3 a=new kafka_partition=0 kafka_offset=1",
			},
			rows: "(1,x,d,0,5) (2,same,d,0,6) (3,new,d,0,1)",
		},
		{
			name: "an older record of another partition", ddl: places, route: sinkd.Route{Mode: sinkd.Upsert},
			batches: []string{"0 w k=1 a=x kafka_partition=0 kafka_offset=5", "1 w k=1 a=y kafka_partition=1 kafka_offset=2"},
			rows:    "(1,y,d,1,2)",
		},
		{
			name: "a row by no record", ddl: places + `; INSERT INTO target VALUES (1, 'x')`, route: sinkd.Route{Mode: sinkd.Upsert},
			batches: []string{"0 w k=1 a=y kafka_partition=0 kafka_offset=0"},
			rows:    "(1,y,d,0,0)",
		},
		{
			name: "an older record that lacks a required column", route: sinkd.Route{Mode: sinkd.Upsert},
			ddl:     `CREATE TABLE target (k bigint PRIMARY KEY, a text NOT NULL, b text, kafka_partition int, kafka_offset bigint)`,
			batches: []string{"0 w k=1 a=x b=x kafka_partition=0 kafka_offset=5", "0 w k=1 b=old kafka_partition=0 kafka_offset=4"},
			rows:    "(1,x,x,0,5)",
		},
		{
			name: "an older record, folded by Postgres", ddl: `CREATE TABLE target (k numeric PRIMARY KEY, a text, kafka_partition int, kafka_offset bigint)`,
			route: sinkd.Route{Mode: sinkd.Upsert}, unfolded: true,
			batches: []string{
				"0 w k=1 a=x kafka_partition=0 kafka_offset=5",
				"0 w k=1 a=o kafka_partition=0 kafka_offset=3; 0 w k=1.0 a=l kafka_partition=0 kafka_offset=4; 0 w k=2 a=n kafka_partition=0 kafka_offset=4",
			},
			rows: "(1,x,0,5) (2,n,0,4)",
		},
		{
			name: "mapped coordinates", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text, p int, o bigint)`,
			route:   sinkd.Route{Mode: sinkd.Upsert, Columns: []sinkd.Mapping{{Column: "p", Source: "@partition"}, {Column: "o", Source: "@offset"}}},
			batches: []string{"0 w k=1 a=x p=0 o=5", "0 w k=1 a=old p=0 o=4"},
			rows:    "(1,x,0,5)",
		},
		{
			name: "a column of that name with another source", ddl: places,
			route:   sinkd.Route{Mode: sinkd.Upsert, Columns: []sinkd.Mapping{{Column: "kafka_offset", Source: "n"}}},
			batches: []string{"0 w k=1 a=x kafka_partition=0 kafka_offset=5", "0 w k=1 a=y kafka_partition=0 kafka_offset=4"},
			rows:    "(1,y,d,0,4)",
		},
		{
			name: "topics that rows do not tell apart", ddl: places, route: sinkd.Route{Mode: sinkd.Upsert, Topics: []string{"t", "u"}},
			batches: []string{"0 w k=1 a=x kafka_partition=0 kafka_offset=5", "0 w k=1 a=y kafka_partition=0 kafka_offset=4"},
			rows:    "(1,y,d,0,4)",
		},
		{
			name: "topics that rows tell apart", route: sinkd.Route{Mode: sinkd.Upsert, Topics: []string{"t", "u"}},
			ddl: `CREATE TABLE target (k bigint PRIMARY KEY, kafka_topic text, kafka_partition int, kafka_offset bigint)`,
			batches: []string{
				"0 w k=1 kafka_topic=t kafka_partition=0 kafka_offset=5; 0 w k=2 kafka_topic=t kafka_partition=0 kafka_offset=5",
				"0 w k=1 kafka_topic=t kafka_partition=0 kafka_offset=4; 0 w k=2 kafka_topic=u kafka_partition=0 kafka_offset=4",
			},
			rows: "(1,t,0,5) (2,u,0,4)",
		},
		{
			name: "an older version", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, v bigint, a text)`,
			route:   sinkd.Route{Mode: sinkd.Upsert, Version: "v"},
			batches: []string{"0 w k=1 v=2 a=x; 0 w k=2 v=2 a=x", "0 w k=1 v=1 a=y; 0 w k=2 v=3 a=y"},
			rows:    "(1,2,x) (2,3,y)",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := setup(t)
			f.exec(`DROP TABLE target; ` + test.ddl)
			r := test.route
			r.Schema, r.Name = "public", "target"
			if r.Topics == nil {
				r.Topics = []string{"t"}
			}
			g := f.replayed(f.bookless(), &r)
			g.unfolded = test.unfolded
			for _, log := range test.batches {
				g.write(log)
			}
			if got := g.rows(); got != test.rows {
				t.Errorf("rows   %s\nwanted %s", got, test.rows)
			}
			if n := one[int](f, `SELECT count(*) FROM pg_namespace WHERE nspname = 'sinkd'`); n != 0 {
				t.Error("there is a schema sinkd")
			}
		})
	}
}

// What a batch counts is told without a ledger.
func TestReplaysAreCounted(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text); INSERT INTO target VALUES (1, 'x'), (3, 'x')`)
	g := f.replayed(f.bookless(), keyed("target", sinkd.Ignore))
	b := g.write("0 w k=1 a=y; 0 w k=2 a=y; 1 w k=3 a=y")
	if x, y := b.Ranges[0].Count, b.Ranges[1].Count; x.Rows != 1 || x.Skipped != 1 || y.Rows != 0 || y.Skipped != 1 {
		t.Errorf("counted %+v and %+v", x, y)
	}
}

// A batch whose COMMIT had no answer is applied again, but not before the
// backend of that COMMIT has ended: its rows would come late.
func TestOrphanIsOutlived(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text);
		CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END';
		CREATE CONSTRAINT TRIGGER late AFTER INSERT ON target DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()`)
	proxy, reg := f.proxied(), prometheus.NewRegistry()
	g := f.replayed(f.bookless(measured(reg)), keyed("target", sinkd.Upsert))
	f.exec(`SELECT pg_advisory_lock(7)`)
	done := make(chan error)
	go func() { done <- g.store.Apply(f.Context(), 0, g.batch(eventsOf("0 w k=1 a=x"))) }()
	const waiting = ` FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()`
	f.until(`SELECT count(*) = 1` + waiting)
	orphan := one[int](f, `SELECT pid`+waiting)
	proxy.CutAll()
	f.until(`SELECT count(*) = 1` + waiting + ` AND pid <> ` + strconv.Itoa(orphan))
	if n := one[int](f, `SELECT count(*) FROM pg_stat_activity WHERE pid = $1`, orphan); n != 0 {
		t.Error("the batch is applied while the backend is there whose COMMIT had no answer")
	}
	f.exec(`SELECT pg_advisory_unlock(7)`)
	f.must(<-done)
	if got := g.rows(); got != "(1,x)" {
		t.Errorf("rows %s", got)
	}
	if n := f.counter(reg, "sinkd_commit_unknown_total", "again"); n != 1 {
		t.Errorf("applied again %v times", n)
	}
}

func TestIdempotentLandingTable(t *testing.T) {
	f := setup(t)
	s := f.bookless()
	r := keyed("landed", sinkd.Upsert)
	r.Create = true
	table, err := s.Table(f.Context(), r, "t")
	f.must(err)
	if !table.IsLanding() || !slices.Equal(table.Key, sinkd.LandingKey()) {
		t.Errorf("landing %v, key %v", table.IsLanding(), table.Key)
	}
}

// A bad record is refused, whatever the configuration says of bad records.
func TestBooklessRefusesBadRecords(t *testing.T) {
	f := setup(t)
	s := f.bookless()
	c := &tokens(1)[0]
	e := f.class(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 0, 3)), 1)), sinkd.Configuration)
	if e.Kind != sinkd.BadRecord || e.Record == nil || e.Record.Offset != 1 {
		t.Errorf("%+v", e)
	}
}

func TestBooklessCheck(t *testing.T) {
	f := setup(t)
	for _, finding := range f.bookless().Check(f.Context()) {
		if !finding.OK || finding.Name == "bookkeeping" {
			t.Errorf("%+v", finding)
		}
	}
}
