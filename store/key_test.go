package store_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sinkd/sinkd"
)

func keyed(name string, mode sinkd.Mode, key ...string) *sinkd.Route {
	r := route(name)
	r.Mode, r.Key = mode, key
	return r
}

func TestKey(t *testing.T) {
	f := setup(t)
	f.exec(insensitive + `
		CREATE TABLE good (a int, b int, c int, "Odd" text, PRIMARY KEY (a, b) INCLUDE (c));
		CREATE UNIQUE INDEX ON good (c, "Odd" COLLATE ci);
		CREATE TABLE bare (a int, b int, c int);
		CREATE UNIQUE INDEX part ON bare (a) WHERE a > 0;
		ALTER TABLE bare ADD CONSTRAINT slow UNIQUE (b) DEFERRABLE;
		CREATE UNIQUE INDEX expr ON bare (a, (b + 1));
		CREATE TABLE later (a int PRIMARY KEY DEFERRABLE);
		CREATE TABLE tree (a int, b int) PARTITION BY LIST (a);
		CREATE TABLE broken (a int); INSERT INTO broken VALUES (1), (1);
		CREATE VIEW seen AS SELECT * FROM bare`)
	if _, err := f.db.Exec(f.Context(), `CREATE UNIQUE INDEX CONCURRENTLY half ON broken (a)`); err == nil {
		t.Fatal("the index was built")
	}
	s := f.open()
	for _, test := range []struct {
		route *sinkd.Route
		key   []string
		says  []string
	}{
		{keyed("good", sinkd.Upsert), []string{"a", "b"}, nil},
		{keyed("good", sinkd.Upsert, "b", "a"), []string{"b", "a"}, nil},
		{keyed("good", sinkd.Ignore, "Odd", "c"), []string{"Odd", "c"}, nil},
		{keyed("good", sinkd.Append), []string{"a", "b"}, nil},
		{keyed("bare", sinkd.Append), nil, nil},
		{keyed("seen", sinkd.Upsert, "c"), []string{"c"}, nil},
		{keyed("good", sinkd.Upsert, "a"), nil, []string{"no unique index on (a)", `CREATE UNIQUE INDEX CONCURRENTLY ON "public"."good" ("a");`}},
		{keyed("good", sinkd.Upsert, "a", "odd"), nil, []string{`column "odd" does not exist`, "did you mean Odd?"}},
		{keyed("good", sinkd.Upsert, "zzzzzz"), nil, []string{`column "zzzzzz" does not exist`, "its columns are a, b, c, Odd"}},
		{keyed("bare", sinkd.Upsert), nil, []string{"no primary key", "SINKD_KEY", `ALTER TABLE "public"."bare" ADD PRIMARY KEY`}},
		{keyed("bare", sinkd.Upsert, "a"), nil, []string{"the unique index part on (a) is partial", "CREATE UNIQUE INDEX"}},
		{keyed("bare", sinkd.Ignore, "b"), nil, []string{"the unique index slow on (b) is deferrable", "mode ignore", "CREATE UNIQUE INDEX"}},
		{keyed("bare", sinkd.Upsert, "a", "b"), nil, []string{"no unique index on (a, b)", "CREATE UNIQUE INDEX"}},
		{keyed("later", sinkd.Upsert), nil, []string{"deferrable", `CREATE UNIQUE INDEX CONCURRENTLY ON "public"."later" ("a")`}},
		{keyed("tree", sinkd.Upsert, "a"), nil, []string{`CREATE UNIQUE INDEX ON "public"."tree" ("a");`}},
		{keyed("broken", sinkd.Upsert, "a"), nil, []string{"half on (a) is invalid", `DROP INDEX "public"."half"; CREATE UNIQUE INDEX CONCURRENTLY`}},
		{keyed("seen", sinkd.Upsert), nil, []string{"it is a view", "SINKD_KEY"}},
	} {
		name := test.route.Name + " " + string(test.route.Mode) + "(" + strings.Join(test.route.Key, ",") + ")"
		table, err := s.Table(f.Context(), test.route, "t")
		if test.says == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if diff := cmp.Diff(test.key, table.Key); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: took %v", name, table.Key)
			continue
		}
		e := f.class(err, sinkd.Configuration)
		for _, says := range test.says {
			if !strings.Contains(e.Error(), says) {
				t.Errorf("%s: no %q in %q", name, says, e)
			}
		}
	}
	table, err := s.Table(f.Context(), keyed("good", sinkd.Upsert, "Odd", "c"), "t")
	f.must(err)
	if !table.Columns[3].Nondeterministic || table.Columns[2].Nondeterministic || table.Staged {
		t.Errorf("%+v", table)
	}
}

// Each mode's rights are named, and are enough.
func TestRightsOfModes(t *testing.T) {
	for _, test := range []struct {
		route *sinkd.Route
		want  string
		log   string
	}{
		{keyed("target", sinkd.Append), "INSERT", "0 w k=1 a=x"},
		{keyed("target", sinkd.Ignore), "INSERT, SELECT", "0 w k=1 a=x; 1 w k=1 a=y"},
		{keyed("target", sinkd.Upsert), "INSERT, SELECT, UPDATE, DELETE", "0 d k=2; 0 w k=1; 1 w k=3 a=y"},
	} {
		t.Run(string(test.route.Mode), func(t *testing.T) {
			f := setup(t)
			f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text)`)
			as, name := f.role()
			f.exec(`GRANT USAGE ON SCHEMA sinkd TO ` + name + `; GRANT ALL ON ALL TABLES IN SCHEMA sinkd TO ` + name)
			s := as.pinned(2)
			_, err := s.Table(f.Context(), test.route, "t")
			if hint := f.class(err, sinkd.Configuration).Hint; !strings.HasPrefix(hint, "GRANT "+test.want+" ON ") {
				t.Errorf("hint %s", hint)
			}
			f.granted(err)
			g := as.target(s, test.route, 2)
			g.unfolded = test.route.Mode != sinkd.Append // so that it is staged
			g.write(test.log)
			f.exec(`REVOKE ALL ON target FROM ` + name)
			e := f.class(s.Apply(f.Context(), 0, g.batch(eventsOf("0 w k=5 a=x"))), sinkd.Schema)
			if !strings.HasPrefix(e.Hint, "GRANT "+test.want+" ON ") {
				t.Errorf("hint while running: %s", e.Hint)
			}
		})
	}
}
