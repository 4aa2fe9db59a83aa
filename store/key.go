package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/internal/nearest"
)

// index is a unique index of a table.
type index struct {
	Name                               string
	Primary, Valid, Immediate, Partial bool
	// Expressions tells that it is not on columns alone.
	Expressions bool
	Columns     []string
	// Nondeterministic tells of each column whether the index finds texts equal
	// whose bytes differ.
	Nondeterministic []bool
}

// indexesSQL reads the unique indexes, the primary key first. Columns that are
// only included are none of the key's.
const indexesSQL = `
SELECT x.relname::text, i.indisprimary, i.indisvalid AND i.indisready, i.indimmediate, i.indpred IS NOT NULL,
       i.indexprs IS NOT NULL, array_agg(coalesce(a.attname::text, '') ORDER BY k.n),
       array_agg(NOT coalesce(l.collisdeterministic, true) ORDER BY k.n)
  FROM pg_index i
  JOIN pg_class x ON x.oid = i.indexrelid
 CROSS JOIN generate_series(0, i.indnkeyatts - 1) AS k(n)
  LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n]
  LEFT JOIN pg_collation l ON l.oid = i.indcollation[k.n]
 WHERE i.indrelid = $1 AND i.indisunique
 GROUP BY x.relname, i.indexrelid, i.indisprimary, i.indisvalid, i.indisready, i.indimmediate, i.indpred IS NOT NULL, i.indexprs IS NOT NULL
 ORDER BY i.indisprimary DESC, i.indexrelid`

// keys are what the key of a table is chosen by.
type keys struct {
	route *sinkd.Route
	kind  string // of the relation
}

func (r *relation) keys(route *sinkd.Route) keys { return keys{route: route, kind: r.kind} }

// appends tells that rows enter without a key.
func appends(r *sinkd.Route) bool {
	return r == nil || r.Mode != sinkd.Upsert && r.Mode != sinkd.Ignore
}

// readKey finds the table's key, and what its index says of its columns.
func readKey(ctx context.Context, conn *pgx.Conn, t *sinkd.Table, k keys) error {
	rows, err := conn.Query(ctx, indexesSQL, t.OID)
	if err != nil {
		return err
	}
	indexes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[index])
	if err != nil {
		return err
	}
	if appends(k.route) {
		if at := slices.IndexFunc(indexes, func(i index) bool { return i.Primary }); at >= 0 {
			t.Key = indexes[at].Columns
		}
		return nil
	}
	return k.choose(t, indexes)
}

// choose takes the index that the route's key names, the primary key's where
// it names none.
func (k keys) choose(t *sinkd.Table, indexes []index) error {
	if err := known(t, k.route.Key); err != nil {
		return err
	}
	if k.kind == "v" {
		return k.given(t)
	}
	var near []index
	for _, i := range indexes {
		switch {
		case !k.names(&i):
		case i.unfit() != "":
			near = append(near, i)
		default:
			t.Key = k.route.Key
			if len(t.Key) == 0 {
				t.Key = i.Columns
			}
			i.mark(t)
			return nil
		}
	}
	return k.lacking(t, near)
}

// given takes the key of a view on trust: which index is behind it, Postgres
// does not say.
func (k keys) given(t *sinkd.Table) error {
	if t.Key = k.route.Key; len(t.Key) == 0 {
		return misfit(t, "it is a view, which has no primary key, and mode "+string(k.route.Mode)+" needs a key",
			"name the key's columns in SINKD_KEY, or in the route as "+string(k.route.Mode)+"(column, ...)")
	}
	return nil
}

// names tells whether the index is on the columns of the route's key.
func (k keys) names(i *index) bool {
	if len(k.route.Key) == 0 {
		return i.Primary
	}
	return len(i.Columns) == len(k.route.Key) &&
		!slices.ContainsFunc(k.route.Key, func(c string) bool { return !slices.Contains(i.Columns, c) })
}

// mark notes what the index's collations say of equality.
func (i *index) mark(t *sinkd.Table) {
	for n := range t.Columns {
		if at := slices.Index(i.Columns, t.Columns[n].Name); at >= 0 {
			t.Columns[n].Nondeterministic = i.Nondeterministic[at]
		}
	}
}

// unfit says why no conflict can be decided by the index, empty if one can.
func (i *index) unfit() string {
	switch {
	case !i.Valid:
		return "invalid: it was not built to its end"
	case !i.Immediate:
		return "deferrable"
	case i.Partial:
		return "partial"
	case i.Expressions:
		return "on an expression"
	}
	return ""
}

// lacking says that no index fits, and how to make one.
func (k keys) lacking(t *sinkd.Table, near []index) error {
	columns := k.route.Key
	if len(columns) == 0 && len(near) > 0 {
		columns = near[0].Columns
	}
	if len(columns) == 0 {
		return misfit(t, "it has no primary key, and mode "+string(k.route.Mode)+" needs a key",
			"name the columns of a unique index in SINKD_KEY, or in the route as "+string(k.route.Mode)+
				"(column, ...), or make one: ALTER TABLE "+quote(t.Schema, t.Name)+" ADD PRIMARY KEY (...)")
	}
	what := "no unique index on (" + strings.Join(columns, ", ") + ")"
	fix := k.ddl(t, columns)
	if len(near) > 0 {
		what = fmt.Sprintf("the unique index %s on (%s) is %s, so mode %s cannot go by it",
			near[0].Name, strings.Join(columns, ", "), near[0].unfit(), k.route.Mode)
		if !near[0].Valid {
			fix = "DROP INDEX " + quote(t.Schema, near[0].Name) + "; " + fix
		}
	}
	return misfit(t, what, fix)
}

// ddl makes the index, without stopping writers where Postgres can.
func (k keys) ddl(t *sinkd.Table, columns []string) string {
	quoted := make([]string, len(columns))
	for i, c := range columns {
		quoted[i] = quote(c)
	}
	concurrently := "CONCURRENTLY "
	if k.kind == "p" {
		concurrently = ""
	}
	return fmt.Sprintf("CREATE UNIQUE INDEX %sON %s (%s);", concurrently, quote(t.Schema, t.Name), strings.Join(quoted, ", "))
}

// known refuses a key of columns that the table does not have.
func known(t *sinkd.Table, key []string) error {
	names := make([]string, len(t.Columns))
	for i := range t.Columns {
		names[i] = t.Columns[i].Name
	}
	for _, c := range key {
		if slices.Contains(names, c) {
			continue
		}
		fix := "its columns are " + strings.Join(names, ", ")
		if near := nearest.Of(c, names, 1+len(c)/3); len(near) > 0 {
			fix = "did you mean " + strings.Join(near[:min(3, len(near))], " or ") + "?"
		}
		return misfit(t, fmt.Sprintf("the key's column %q does not exist", c), fix)
	}
	return nil
}
