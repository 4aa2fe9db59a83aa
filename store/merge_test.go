package store_test

import (
	"fmt"
	"testing"

	"github.com/sinkd/sinkd"
)

// modes are logs that are written batch by batch, and what the table holds at
// the end.
var modes = []struct {
	name, ddl string
	route     sinkd.Route
	unfolded  bool
	text      []string
	batches   []string
	rows      string
	// counts are rows/skipped of each range of the last batch.
	counts string
}{
	{
		name: "upsert of new, existing and both", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text)`,
		route:   sinkd.Route{Mode: sinkd.Upsert},
		batches: []string{"0 w k=1 a=x; 0 w k=2 a=x", "0 w k=1 a=y; 0 w k=2 a=y", "0 w k=2 a=z; 1 w k=3 a=z"},
		rows:    "(1,y) (2,z) (3,z)", counts: "1/0 1/0",
	},
	{
		name: "composite key in the route's order", ddl: `CREATE TABLE target (a text, b bigint, v text); CREATE UNIQUE INDEX ON target (b, a) INCLUDE (v)`,
		route:   sinkd.Route{Mode: sinkd.Upsert, Key: []string{"a", "b"}},
		batches: []string{"0 w a=x b=1 v=1; 0 w a=x b=2 v=1", "0 w a=x b=2 v=2; 0 w a=y b=1 v=2", "0 d a=x b=1; 0 w a=x b=3 v=3"},
		rows:    "(x,2,2) (x,3,3) (y,1,2)", counts: "2/0",
	},
	{
		name: "only key columns", ddl: `CREATE TABLE target (k bigint PRIMARY KEY)`,
		route:   sinkd.Route{Mode: sinkd.Upsert},
		batches: []string{"0 w k=1", "0 w k=1; 0 w k=2"}, rows: "(1) (2)", counts: "2/0",
	},
	{
		name: "absent columns stay, or take their default", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text DEFAULT 'd', b text)`,
		route:   sinkd.Route{Mode: sinkd.Upsert},
		batches: []string{"0 w k=1 a=x b=x", "0 w k=1 b=y; 0 w k=2 b=y; 0 w k=3 a=null"},
		rows:    "(1,x,y) (2,d,y) (3,,)", counts: "3/0",
	},
	{
		name:    "a list without a required column updates",
		ddl:     `CREATE TABLE target (k bigint PRIMARY KEY, a text NOT NULL, b text, CHECK (b <> a))`,
		route:   sinkd.Route{Mode: sinkd.Upsert},
		batches: []string{"0 w k=1 a=x b=b", "0 w k=1 b=y; 0 w k=2 a=x b=n"}, rows: "(1,x,y) (2,x,n)", counts: "2/0",
	},
	{
		name:    "a list without a column that a check needs updates",
		ddl:     `CREATE TABLE target (k bigint PRIMARY KEY, a text DEFAULT '' CHECK (a <> ''), b text)`,
		route:   sinkd.Route{Mode: sinkd.Upsert},
		batches: []string{"0 w k=1 a=x b=b", "0 w k=1 b=y"}, rows: "(1,x,y)", counts: "1/0",
	},
	{
		name: "deletes before the write of the same key", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text DEFAULT 'd', b text)`,
		route:   sinkd.Route{Mode: sinkd.Upsert},
		batches: []string{"0 w k=1 a=x b=x; 0 w k=2 a=x b=x", "0 d k=1; 0 d k=7; 0 w k=1 b=y"},
		rows:    "(1,d,y) (2,x,x)", counts: "3/0",
	},
	{
		name: "marks", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text, gone boolean)`,
		route:   sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Soft, DeletedColumn: "gone"},
		batches: []string{"0 w k=1 a=x gone=f; 0 w k=2 a=x gone=f", "0 m k=1 gone=t; 0 m k=7 gone=t"},
		rows:    "(1,x,t) (2,x,f)", counts: "2/0",
	},
	{
		name: "versions", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, v int, a text)`,
		route:   sinkd.Route{Mode: sinkd.Upsert, Version: "v"},
		batches: []string{"0 w k=1 v=5 a=x; 0 w k=2 v=5 a=x; 0 w k=3 v=null a=x; 0 w k=4 v=5 a=x", "0 w k=1 v=4 a=y; 0 w k=2 v=5 a=y; 1 w k=3 v=1 a=y; 1 w k=4 a=y; 1 w k=5 v=1 a=y"},
		rows:    "(1,5,x) (2,5,y) (3,1,y) (4,5,x) (5,1,y)", counts: "1/1 2/1",
	},
	{
		name: "versions of a list without a required column", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, v int, a text, b text NOT NULL)`,
		route:   sinkd.Route{Mode: sinkd.Upsert, Version: "v"},
		batches: []string{"0 w k=1 v=5 a=x b=x; 0 w k=2 v=5 a=x b=x", "0 w k=1 v=4 a=y; 1 w k=2 v=5 a=y; 1 w k=3 v=1 a=y b=y"},
		rows:    "(1,5,x,x) (2,5,y,x) (3,1,y,y)", counts: "0/1 2/0",
	},
	{
		name: "versions of one range", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, v int, a text)`,
		route:   sinkd.Route{Mode: sinkd.Upsert, Version: "v"},
		batches: []string{"0 w k=1 v=5 a=x; 0 w k=2 v=5 a=x", "0 w k=1 v=4 a=y; 0 w k=2 v=6 a=y; 0 d k=9"},
		rows:    "(1,5,x) (2,6,y)", counts: "2/1",
	},
	{
		name: "ignore over several ranges", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text NOT NULL)`,
		route:   sinkd.Route{Mode: sinkd.Ignore},
		batches: []string{"0 w k=1 a=x; 1 w k=2 a=x", "0 w k=1 a=y; 0 w k=3 a=y; 1 w k=2 a=y; 1 w k=4 a=y; 1 w k=5 a=y; 1 w k=1"},
		rows:    "(1,x) (2,x) (3,y) (4,y) (5,y)", counts: "1/1 2/2",
	},
	{
		name: "ignore of one range", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text)`,
		route:   sinkd.Route{Mode: sinkd.Ignore},
		batches: []string{"0 w k=1 a=x", "0 w k=1 a=y; 0 w k=3 a=y"}, rows: "(1,x) (3,y)", counts: "1/1",
	},
	{
		name: "unfolded by collation", ddl: insensitive + `CREATE TABLE target (k text COLLATE ci PRIMARY KEY, a text)`,
		route: sinkd.Route{Mode: sinkd.Upsert}, unfolded: true,
		batches: []string{"0 w k=A a=1; 0 w k=a a=2; 0 w k=B a=1", "0 w k=b a=3; 1 w k=C a=1; 1 w k=c a=2"},
		rows:    "(A,2) (B,3) (C,2)", counts: "1/0 2/0",
	},
	{
		name: "unfolded by the index's collation", ddl: insensitive + `CREATE TABLE target (k text, a text); CREATE UNIQUE INDEX ON target (k COLLATE ci)`,
		route: sinkd.Route{Mode: sinkd.Upsert, Key: []string{"k"}}, unfolded: true,
		batches: []string{"0 w k=A a=1; 0 w k=a a=2", "0 w k=a a=3; 0 d k=A; 0 w k=b a=4"},
		rows:    "(b,4)", counts: "3/0",
	},
	{
		name: "unfolded numeric with deletes and many lists", ddl: `CREATE TABLE target (k numeric PRIMARY KEY, a text DEFAULT 'd', b text, c text)`,
		route: sinkd.Route{Mode: sinkd.Upsert}, unfolded: true,
		batches: []string{
			"0 w k=1 a=x b=x c=x; 0 w k=2 a=x b=x c=x",
			"0 w k=1.0 a=y; 0 w k=1.00 b=null; 0 d k=2.0; 0 w k=2 b=z; 0 w k=3 a=p; 0 d k=3.0; 0 w k=4 c=p; 0 w k=4.0 b=p; 0 w k=4.00 c=q",
		},
		rows: "(1,y,,x) (2,d,z,) (4,d,p,q)", counts: "9/0",
	},
	{
		name: "unfolded marks", ddl: `CREATE TABLE target (k numeric PRIMARY KEY, a text, gone int DEFAULT 0)`,
		route: sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Soft, DeletedColumn: "gone"}, unfolded: true,
		batches: []string{
			"0 w k=1 a=x; 0 w k=2 a=x",
			"0 m k=1.0 gone=1; 0 m k=1 gone=2; 0 w k=3 a=x; 0 m k=3.0 gone=1; 0 m k=4 gone=1; 0 w k=4 a=x; 0 m k=2 gone=1; 0 w k=2 a=y gone=0; 0 m k=9 gone=1",
		},
		rows: "(1,x,2) (2,y,0) (3,x,1) (4,x,0)", counts: "9/0",
	},
	{
		name: "unfolded versions", ddl: `CREATE TABLE target (k numeric PRIMARY KEY, v int, a text, b text)`,
		route: sinkd.Route{Mode: sinkd.Upsert, Version: "v"}, unfolded: true,
		batches: []string{
			"0 w k=1 v=5 a=x b=x; 0 w k=2 v=5 a=x b=x; 0 w k=3 v=9 a=x b=x",
			"0 w k=1.0 v=4 a=y; 0 w k=1 v=6 b=y; 0 w k=1 v=5 a=n; 1 w k=2 v=1 a=n; 1 w k=4 v=2 a=p b=p; 1 w k=4.0 v=1 a=n b=n; 1 w k=4.00 v=2 b=q; 1 d k=3.0; 1 w k=3 v=1 a=z",
		},
		rows: "(1,6,x,y) (2,5,x,x) (3,1,z,) (4,2,p,q)", counts: "1/2 4/2",
	},
	{
		name: "unfolded ignore takes the first", ddl: `CREATE TABLE target (k numeric PRIMARY KEY, a text, b text)`,
		route: sinkd.Route{Mode: sinkd.Ignore}, unfolded: true,
		batches: []string{"0 w k=1 a=x", "0 w k=1.0 a=y; 0 w k=2 b=y; 0 w k=2.0 a=n; 1 w k=2.00 a=n; 1 w k=3 a=y"},
		rows:    "(1,x,) (2,,y) (3,y,)", counts: "1/2 1/1",
	},
	{
		name: "nine lists share a stage", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a int DEFAULT 0, b int, c int, d int)`,
		route: sinkd.Route{Mode: sinkd.Upsert},
		batches: []string{
			"0 w k=1 a=1 b=1 c=1 d=1",
			"0 d k=1; 0 w k=1; 0 w k=2 a=2; 0 w k=3 b=2; 0 w k=4 c=2; 0 w k=5 d=2; 0 w k=6 a=2 b=2; 0 w k=7 a=2 c=2; 0 w k=8 a=2 d=2; 0 w k=9 b=2 d=null",
		},
		rows: "(1,0,,,) (2,2,,,) (3,0,2,,) (4,0,,2,) (5,0,,,2) (6,2,2,,) (7,2,,2,) (8,2,,,2) (9,0,2,,)", counts: "10/0",
	},
	{
		name: "nine lists are appended", ddl: `CREATE TABLE target (k bigint GENERATED BY DEFAULT AS IDENTITY, a int DEFAULT 0, b int DEFAULT 0, c int DEFAULT 0)`,
		route:   sinkd.Route{Mode: sinkd.Append},
		batches: []string{"0 w k=1; 0 w k=2 a=2; 0 w k=3 b=2; 0 w k=4 c=2; 0 w k=5 a=2 b=2; 0 w k=6 a=2 c=2; 0 w k=7 b=2 c=2; 0 w k=8 a=2 b=2 c=2; 0 w a=9"},
		rows:    "(1,0,0,0) (1,9,0,0) (2,2,0,0) (3,0,2,0) (4,0,0,2) (5,2,2,0) (6,2,0,2) (7,0,2,2) (8,2,2,2)", counts: "9/0",
	},
	{
		name: "text forms", ddl: `CREATE DOMAIN span AS int4range CHECK (upper(VALUE) < 100); CREATE TABLE target (k bigint PRIMARY KEY, r int4range, p point, s span, x bit(3))`,
		route: sinkd.Route{Mode: sinkd.Append}, text: []string{"r", "p", "s", "x"},
		batches: []string{"0 w k=1 r=[1,2] p=(1,2) s=[1,5) x=101; 0 w k=2 r=null p=null s=empty x=null"},
		rows:    `(1,"[1,3)","(1,2)","[1,5)",101) (2,,,empty,)`, counts: "2/0",
	},
	{
		name: "a key by its text form", ddl: `CREATE TABLE target (r int4range PRIMARY KEY, a text)`,
		route: sinkd.Route{Mode: sinkd.Upsert}, text: []string{"r"}, unfolded: true,
		batches: []string{"0 w r=[1,2] a=x; 0 w r=[1,3) a=y; 0 w r=empty a=x", "0 d r=(0,3); 0 w r=empty a=z"},
		rows:    `(empty,z)`, counts: "2/0",
	},
	{
		name: "identity and generated columns", ddl: `CREATE TABLE target (k bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED)`,
		route:   sinkd.Route{Mode: sinkd.Upsert},
		batches: []string{"0 w k=7 a=1", "0 w k=7 a=2; 0 w k=8 a=3"}, rows: "(7,2,4) (8,3,6)", counts: "2/0",
	},
	{
		name: "partitioned", ddl: `CREATE TABLE target (k bigint, part int, a text, PRIMARY KEY (part, k)) PARTITION BY LIST (part);
			CREATE TABLE target1 PARTITION OF target FOR VALUES IN (1); CREATE TABLE target2 PARTITION OF target FOR VALUES IN (2)`,
		route:   sinkd.Route{Mode: sinkd.Upsert},
		batches: []string{"0 w part=1 k=1 a=x; 0 w part=2 k=1 a=x", "0 w part=2 k=1 a=y; 0 d part=1 k=1; 0 w part=1 k=2 a=y"},
		rows:    "(1,2,y) (2,1,y)", counts: "3/0",
	},
	{
		name: "a trigger", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text); CREATE FUNCTION up() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN NEW.a = upper(NEW.a); RETURN NEW; END'; CREATE TRIGGER up BEFORE INSERT OR UPDATE ON target FOR EACH ROW EXECUTE FUNCTION up()`,
		route:   sinkd.Route{Mode: sinkd.Upsert},
		batches: []string{"0 w k=1 a=x", "0 w k=1 a=y; 0 w k=2 a=z"}, rows: "(1,Y) (2,Z)", counts: "2/0",
	},
	{
		name: "a view that Postgres writes through", ddl: `CREATE TABLE base (k bigint PRIMARY KEY, a text NOT NULL, b text); CREATE VIEW target AS SELECT k, a, b FROM base`,
		route:   sinkd.Route{Mode: sinkd.Upsert, Key: []string{"k"}},
		batches: []string{"0 w k=1 a=x b=x; 0 w k=2 a=x b=x", "0 w k=1 b=y; 0 d k=2; 0 w k=3 a=z b=z"}, rows: "(1,x,y) (3,z,z)", counts: "3/0",
	},
	{
		name: "a view that triggers write", ddl: insteadOf,
		route:   sinkd.Route{Mode: sinkd.Upsert, Key: []string{"k"}},
		batches: []string{"0 w k=1 a=x; 0 w k=2 a=x", "0 w k=1 a=y; 0 d k=2; 0 w k=3 a=z"}, rows: "(1,y) (3,z)", counts: "3/0",
	},
	{
		name: "ignore into a view that triggers write", ddl: insteadOf,
		route:   sinkd.Route{Mode: sinkd.Ignore, Key: []string{"k"}},
		batches: []string{"0 w k=1 a=x; 0 w k=2 a=x", "0 w k=1 a=y; 1 w k=2 a=y; 1 w k=3 a=z"}, rows: "(1,x) (2,x) (3,z)", counts: "0/1 1/1",
	},
	{
		name: "appended to a view", ddl: `CREATE TABLE base (k bigint, a text DEFAULT 'd'); CREATE VIEW target AS SELECT k, a FROM base`,
		route:   sinkd.Route{Mode: sinkd.Append},
		batches: []string{"0 w k=1 a=x; 1 w k=2"}, rows: "(1,x) (2,d)", counts: "1/0 1/0",
	},
}

const (
	insensitive = `CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);`
	insteadOf   = `CREATE TABLE base (k bigint PRIMARY KEY, a text); CREATE VIEW target AS SELECT DISTINCT k, a FROM base;
		CREATE FUNCTION via() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
		    IF TG_OP = ''INSERT'' THEN INSERT INTO base VALUES (NEW.k, NEW.a); RETURN NEW; END IF;
		    IF TG_OP = ''UPDATE'' THEN UPDATE base SET a = NEW.a WHERE k = OLD.k; RETURN NEW; END IF;
		    DELETE FROM base WHERE k = OLD.k; RETURN OLD; END';
		CREATE TRIGGER via INSTEAD OF INSERT OR UPDATE OR DELETE ON target FOR EACH ROW EXECUTE FUNCTION via()`
)

func TestModes(t *testing.T) {
	for _, test := range modes {
		t.Run(test.name, func(t *testing.T) {
			f := setup(t)
			f.exec(`DROP TABLE target; ` + test.ddl)
			r := test.route
			r.Topics, r.Schema, r.Name = []string{"t"}, "public", "target"
			g := f.target(f.pinned(2), &r, 2)
			g.unfolded, g.text = test.unfolded, test.text
			var last *sinkd.Batch
			for _, log := range test.batches {
				last = g.write(log)
			}
			if got := g.rows(); got != test.rows {
				t.Errorf("rows   %s\nwanted %s", got, test.rows)
			}
			if got := g.counts(); got != test.counts {
				t.Errorf("counts %s, want %s", got, test.counts)
			}
			var told string
			for i := range last.Ranges {
				told += fmt.Sprintf("%d/%d ", last.Ranges[i].Count.Rows, last.Ranges[i].Count.Skipped)
			}
			if told != test.counts+" " {
				t.Errorf("the batch counts %s, want %s", told, test.counts)
			}
			if n := one[int](f, `SELECT count(*) FROM sinkd.batches WHERE records <> rows + skipped + dead`); n > 0 {
				t.Errorf("%d ranges do not add up", n)
			}
		})
	}
}
