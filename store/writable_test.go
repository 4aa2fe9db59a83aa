package store_test

import (
	"strings"
	"testing"

	"github.com/sinkd/sinkd"
)

const (
	publishedTable = `CREATE TABLE target (k bigint UNIQUE NOT NULL, a text); CREATE PUBLICATION p FOR TABLE target`
	publishedTree  = `CREATE TABLE target (k bigint UNIQUE NOT NULL, a text) PARTITION BY LIST (k); CREATE TABLE leaf PARTITION OF target FOR VALUES IN (1); CREATE PUBLICATION p FOR TABLE target`
	summed         = `CREATE TABLE base (k bigint PRIMARY KEY, a text); CREATE VIEW target AS SELECT k, max(a) AS a FROM base GROUP BY k`
	through        = `CREATE TABLE base (k bigint PRIMARY KEY, a text); CREATE VIEW target AS SELECT k, a FROM base`
	insertOnly     = `CREATE FUNCTION via() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO base VALUES (NEW.k, NEW.a); RETURN NEW; END';
		CREATE TRIGGER via INSTEAD OF INSERT ON target FOR EACH ROW EXECUTE FUNCTION via()`
)

// What could never be written is refused when the catalog is read: Postgres says
// of it what it says of conditions that pass.
func TestUnwritable(t *testing.T) {
	for _, test := range []struct {
		name, ddl string
		mode      sinkd.Mode
		deletes   sinkd.Deletes
		says      string
	}{
		{"a view", through, sinkd.Upsert, sinkd.Remove, ""},
		{"a view that sums", summed, sinkd.Append, "", "it is a view that takes no INSERT"},
		{"a view that sums, keyed", summed, sinkd.Upsert, sinkd.Remove, "it is a view that takes no INSERT, no UPDATE, no DELETE"},
		{"a view that a trigger fills", summed + ";" + insertOnly, sinkd.Append, "", ""},
		{"a view that a trigger fills, ignore", summed + ";" + insertOnly, sinkd.Ignore, "", ""},
		{"a view that a trigger fills, upsert", summed + ";" + insertOnly, sinkd.Upsert, sinkd.Keep, "takes no UPDATE"},
		{"published", publishedTable, sinkd.Upsert, sinkd.Keep, "updates or deletes of target are published"},
		{"published, appended to", publishedTable, sinkd.Append, "", ""},
		{"published, ignore", publishedTable, sinkd.Ignore, "", ""},
		{"published inserts", publishedTable + ` WITH (publish = 'insert')`, sinkd.Upsert, sinkd.Remove, ""},
		{"published deletes", publishedTable + ` WITH (publish = 'delete')`, sinkd.Upsert, sinkd.Remove, "are published"},
		{"published deletes that are not made", publishedTable + ` WITH (publish = 'delete')`, sinkd.Upsert, sinkd.Keep, ""},
		{"published whole", publishedTable + `; ALTER TABLE target REPLICA IDENTITY FULL`, sinkd.Upsert, sinkd.Remove, ""},
		{"published by an index", publishedTable + `; ALTER TABLE target REPLICA IDENTITY USING INDEX target_k_key`, sinkd.Upsert, sinkd.Remove, ""},
		{"published by its key", publishedTable + `; ALTER TABLE target ADD PRIMARY KEY (k)`, sinkd.Upsert, sinkd.Remove, ""},
		{"a published tree", publishedTree, sinkd.Upsert, sinkd.Remove, "of leaf are published"},
		{"all published", strings.Replace(publishedTable, "FOR TABLE target", "FOR ALL TABLES", 1), sinkd.Upsert, sinkd.Remove, "of target are published"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := setup(t)
			f.exec(`DROP TABLE target; ` + test.ddl)
			r := keyed("target", test.mode, "k")
			r.Deletes = test.deletes
			_, err := f.open().Table(f.Context(), r, "t")
			if test.says == "" {
				f.must(err)
				return
			}
			e := f.class(err, sinkd.Configuration)
			if !strings.Contains(e.Error(), test.says) || e.Kind != sinkd.Refused || e.Hint == "" {
				t.Errorf("%v; %s", err, e.Hint)
			}
		})
	}
}

// A table that becomes unwritable while rows are on their way is read again,
// and refused then; it is not tried for ever.
func TestBecomesUnwritable(t *testing.T) {
	for name, test := range map[string]struct{ ddl, change string }{
		"a view":    {through, `CREATE OR REPLACE VIEW target AS SELECT DISTINCT k, a FROM base`},
		"published": {`CREATE TABLE target (k bigint UNIQUE NOT NULL, a text)`, `CREATE PUBLICATION p FOR TABLE target`},
	} {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			f.exec(`DROP TABLE target; ` + test.ddl)
			g := f.target(f.pinned(1), keyed("target", sinkd.Upsert, "k"), 1)
			g.write("0 w k=1 a=x")
			f.exec(test.change)
			e := f.class(g.store.Apply(f.Context(), 0, g.batch(eventsOf("0 d k=1"))), sinkd.Schema)
			if e.Table != "public.target" {
				t.Errorf("%+v", e)
			}
		})
	}
}
