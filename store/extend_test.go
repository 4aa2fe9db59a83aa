package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// columns makes columns of "name type".
func columns(texts ...string) []sinkd.NewColumn {
	var out []sinkd.NewColumn
	for _, text := range texts {
		i := strings.LastIndexByte(text, ' ')
		out = append(out, sinkd.NewColumn{Name: text[:i], Type: text[i+1:]})
	}
	return out
}

func TestColumnsAreAddedOnce(t *testing.T) {
	f := setup(t)
	reg := prometheus.NewRegistry()
	metrics := store.NewMetrics(reg, "p")
	var group errgroup.Group
	for i := range 6 { // replicas that infer unlike types
		s := f.open(func(c *store.Config) { c.Metrics = metrics })
		group.Go(func() error {
			return s.Extend(f.Context(), route("target"), "t", columns("city "+[]string{"text", "bigint"}[i%2], `a "b" text`, "note jsonb"))
		})
	}
	f.must(group.Wait())
	if got := one[string](f, `SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'target'::regclass AND attnum > 0`); got != `k,note,city,a "b"` {
		t.Errorf("columns %s", got)
	}
	change := one[string](f, `SELECT string_agg(concat_ws('|', topic, table_name, action, statement), E'\n') FROM sinkd.schema_changes`)
	kind := one[string](f, `SELECT format_type(atttypid, -1) FROM pg_attribute WHERE attrelid = 'target'::regclass AND attname = 'city'`)
	want := `t|public.target|add-column|ALTER TABLE "public"."target" ADD COLUMN IF NOT EXISTS "city" ` + kind + `, ADD COLUMN IF NOT EXISTS "a ""b""" text`
	if change != want {
		t.Errorf("recorded %s\nwant %s", change, want)
	}
	if n := f.counter(reg, "sinkd_schema_changes_total", "public.target"); n != 1 {
		t.Errorf("counted %v changes", n)
	}
}

func TestColumnsWaitForABusyTable(t *testing.T) {
	f := setup(t)
	s := f.open(func(c *store.Config) { c.LockTimeout = 50 * time.Millisecond })
	tx, err := f.db.Begin(f.Context())
	f.must(err)
	_, err = tx.Exec(f.Context(), `LOCK TABLE target IN ROW EXCLUSIVE MODE`)
	f.must(err)
	f.class(s.Extend(f.Context(), route("target"), "t", columns("x text")), sinkd.Transient)
	f.must(s.Extend(f.Context(), route("target"), "t", columns("note text"))) // nothing to add, nothing to wait for
	f.must(tx.Rollback(f.Context()))
	f.must(s.Extend(f.Context(), route("target"), "t", columns("x text")))
	if n := one[int](f, `SELECT count(*)::int FROM sinkd.schema_changes`); n != 1 {
		t.Errorf("%d changes recorded", n)
	}
}

func TestColumnsThatCannotBeAdded(t *testing.T) {
	f := setup(t)
	f.exec(`CREATE VIEW seen AS SELECT * FROM target;
		CREATE TABLE tree (a int) PARTITION BY LIST (a); CREATE TABLE leaf PARTITION OF tree FOR VALUES IN (1);
		CREATE TYPE pair AS (a int, b int); CREATE TABLE typed OF pair`)
	var wide strings.Builder
	for i := range 1599 {
		fmt.Fprintf(&wide, ", c%d int", i)
	}
	f.exec(`CREATE TABLE wide (a int` + wide.String() + `); ALTER TABLE wide DROP COLUMN a`)
	s := f.open()
	for name, want := range map[string]string{
		"seen": "it is a view", "leaf": "it is a partition", "wide": "a table has at most 1600, dropped ones included",
		"typed": "columns cannot be added: ", "nowhere": "does not exist",
	} {
		if err := s.Extendable(f.Context(), route(name), "t"); (err == nil) != (name == "wide" || name == "typed") {
			t.Errorf("%s: foretold %v", name, err)
		}
		e := f.class(s.Extend(f.Context(), route(name), "t", columns("x text")), sinkd.Configuration)
		if !strings.Contains(e.Err.Error(), want) || e.Kind != sinkd.Refused || e.Topic != "t" || e.Table != "public."+name || e.Hint == "" {
			t.Errorf("%s: %v", name, e)
		}
	}
	f.must(s.Extend(f.Context(), route("tree"), "t", columns("x text")))
}

// The statement that the error gives lets the columns be added.
func TestColumnsNeedTheOwner(t *testing.T) {
	f := setup(t)
	as, name := f.role()
	f.exec(`GRANT USAGE ON SCHEMA sinkd TO ` + name + `; GRANT ALL ON ALL TABLES IN SCHEMA sinkd TO ` + name +
		`; CREATE ROLE ` + name + `_owner; ALTER TABLE target OWNER TO ` + name + `_owner; GRANT CREATE ON SCHEMA public TO ` + name + `_owner`)
	s := as.open()
	would := s.Extendable(f.Context(), route("target"), "t")
	f.class(would, sinkd.Configuration)
	err := s.Extend(f.Context(), route("target"), "t", columns("x text"))
	if e, ok := errors.AsType[*sinkd.Error](err); !ok || !strings.HasSuffix(e.Hint, `ALTER TABLE "public"."target" ADD COLUMN IF NOT EXISTS "x" text;`) {
		t.Errorf("%v", err)
	}
	if would.Error()+" or add" != err.Error()[:min(len(err.Error()), len(would.Error())+7)] {
		t.Errorf("foretold %v, got %v", would, err)
	}
	f.granted(would)
	f.must(s.Extendable(f.Context(), route("target"), "t"))
	f.must(s.Extend(f.Context(), route("target"), "t", columns("x text")))
	f.exec(`DROP OWNED BY ` + name + `_owner; DROP ROLE ` + name + `_owner`)
}
