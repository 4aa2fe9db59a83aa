package store

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// shape is what a session has to know of a table to write into it by
// statements.
type shape struct {
	columns map[string]columnShape
	// keys are the key's columns, in the order of the table's Key.
	keys []keyShape
	// view tells that Postgres does not say what an insert would check; instead,
	// that triggers write in place of the view, which knows no conflicts.
	view, instead bool
	// merges tells that rows may be merged into the table.
	merges bool
}

// columnShape is how a column is staged.
type columnShape struct {
	// staged is the type of the stage's column, cast the one that its text form
	// is cast to: without a modifier, because a cast would cut what an
	// assignment refuses.
	staged, cast string
	// checked tells that an insert that leaves the column out may be refused for
	// that.
	checked bool
}

// keyShape is how two values of a key's column are compared: as the key's index
// does.
type keyShape struct{ operator, collation string }

const (
	// shapeSQL describes columns by base types: domains are checked when the
	// target takes the value.
	shapeSQL = `
WITH RECURSIVE base(attnum, type, typmod) AS (
    SELECT attnum, atttypid, atttypmod FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT b.attnum, t.typbasetype, CASE WHEN b.typmod >= 0 THEN b.typmod ELSE t.typtypmod END
      FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype = 'd'
)
SELECT a.attname::text,
       format_type(b.type, b.typmod) || coalesce(' COLLATE ' || quote_ident(n.nspname) || '.' || quote_ident(l.collname), ''),
       format_type(b.type, -1),
       EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = a.attrelid AND c.contype = 'c' AND a.attnum = ANY (c.conkey))
  FROM pg_attribute a
  JOIN base b USING (attnum)
  JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
  LEFT JOIN pg_collation l ON l.oid = a.attcollation
  LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
 WHERE a.attrelid = $1`

	// keySQL describes the columns of the key, in its order, by the first index
	// that is on them. A view has none: its columns are compared as their types
	// are.
	keySQL = `
WITH one AS (
    SELECT i.* FROM pg_index i
     WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
       AND (SELECT array_agg(a.attname::text COLLATE "C" ORDER BY a.attname::text COLLATE "C")
              FROM pg_attribute a, generate_series(0, i.indnkeyatts - 1) AS k(n)
             WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n])
         = (SELECT array_agg(c COLLATE "C" ORDER BY c COLLATE "C") FROM unnest($2::text[]) AS c)
     ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1
)
SELECT coalesce('OPERATOR(' || quote_ident(s.nspname) || '.' || o.oprname || ')', '='),
       coalesce(' COLLATE ' || quote_ident(n.nspname) || '.' || quote_ident(l.collname), '')
  FROM unnest($2::text[]) WITH ORDINALITY AS w(name, place)
  LEFT JOIN (one CROSS JOIN generate_series(0, 31) AS k(n)
        JOIN pg_attribute a ON a.attrelid = one.indrelid AND a.attnum = one.indkey[k.n] AND k.n < one.indnkeyatts
        JOIN pg_opclass p ON p.oid = one.indclass[k.n]
        JOIN pg_amop m ON m.amopfamily = p.opcfamily AND m.amoplefttype = p.opcintype AND m.amoprighttype = p.opcintype AND m.amopstrategy = 3
        JOIN pg_operator o ON o.oid = m.amopopr
        JOIN pg_namespace s ON s.oid = o.oprnamespace
        LEFT JOIN pg_collation l ON l.oid = one.indcollation[k.n]
        LEFT JOIN pg_namespace n ON n.oid = l.collnamespace) ON a.attname::text = w.name
 ORDER BY w.place`

	// kindSQL tells of a relation whether it is a view, one that triggers write,
	// and a table that rows may be merged into, see mergeable.
	kindSQL = `
SELECT c.relkind = 'v', EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgtype & 64 <> 0),
       current_setting('server_version_num')::int >= 150000 AND ` + mergeable + `
  FROM pg_class c WHERE c.oid = $1`

	// mergeable is the condition that MERGE does to the table c what an insert
	// with ON CONFLICT does, and for less: it would find the keys of tables that
	// inherit, lock and plan all partitions for each batch, and have triggers and
	// foreign keys run by the plans that merges want. A trigger before an insert
	// would not see rows that are updated.
	mergeable = `c.relkind = 'r' AND NOT c.relhassubclass AND NOT c.relhastriggers`
)

// maxShapes bounds the tables that a session remembers.
const maxShapes = 64

// shapeOf gives the table's shape, which is read once from the table.
func (l *lane) shapeOf(ctx context.Context, t *sinkd.Table) (*shape, error) {
	if s := l.shapes[t]; s != nil {
		return s, nil
	}
	if l.prepared[shapeSQL] == nil {
		if err := l.prepare(ctx, shapeSQL, keySQL, kindSQL); err != nil {
			return nil, Classify(err)
		}
	}
	results, err := l.exchange(ctx,
		request{sql: shapeSQL, args: []any{t.OID}},
		request{sql: keySQL, args: []any{t.OID, t.Key}},
		request{sql: kindSQL, args: []any{t.OID}},
		request{sql: sameSQL, args: append(sameArgs(t, false), []string(nil), false)})
	if drifted(err) {
		return nil, &sinkd.Error{Class: sinkd.Schema, Err: errChanged}
	}
	if err != nil {
		return nil, Classify(err)
	}
	s := newShape(results)
	if s == nil {
		return nil, &sinkd.Error{Class: sinkd.Schema, Table: t.String(), Err: misfitErr(t, ErrNoTable, "").Err, SQLState: undefinedTable}
	}
	if l.shapes == nil || len(l.shapes) >= maxShapes {
		l.shapes = make(map[*sinkd.Table]*shape)
	}
	l.shapes[t] = s
	return s, nil
}

// newShape reads the answers to the three questions, nil if the table is gone.
func newShape(results []*pgconn.Result) *shape {
	if len(results[0].Rows) == 0 || len(results[2].Rows) == 0 {
		return nil
	}
	s := &shape{columns: make(map[string]columnShape)}
	for _, row := range results[0].Rows {
		s.columns[string(row[0])] = columnShape{staged: string(row[1]), cast: string(row[2]), checked: row[3][0] == 1}
	}
	for _, row := range results[1].Rows {
		s.keys = append(s.keys, keyShape{operator: string(row[0]), collation: string(row[1])})
	}
	kind := results[2].Rows[0]
	s.view, s.instead, s.merges = kind[0][0] == 1, kind[1][0] == 1, kind[2][0] == 1
	return s
}
