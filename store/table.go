package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// columnsSQL reads the columns, with domains followed to their base type.
const columnsSQL = `
WITH RECURSIVE base(attnum, type, typmod, required, hasdefault) AS (
    SELECT attnum, atttypid, atttypmod, attnotnull, atthasdef
      FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT b.attnum, t.typbasetype, CASE WHEN b.typmod >= 0 THEN b.typmod ELSE t.typtypmod END,
           b.required OR t.typnotnull, b.hasdefault OR t.typdefault IS NOT NULL
      FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype = 'd'
)
SELECT a.attname, b.type, a.atttypid, t.typtype, coalesce(e.oid, 0), coalesce(e.typtype, ''),
       format_type(a.atttypid, a.atttypmod), b.typmod, b.required, NOT coalesce(l.collisdeterministic, true),
       (b.hasdefault OR a.attidentity <> ''), (a.attgenerated <> '' OR a.attidentity = 'a')
  FROM pg_attribute a
  JOIN base b USING (attnum)
  JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
  LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
  LEFT JOIN pg_collation l ON l.oid = a.attcollation
 WHERE a.attrelid = $1
 ORDER BY a.attnum`

// Table reads the topic's table from the catalog, and creates the landing
// table where the route allows it and there is none. What cannot be used is a
// Configuration error that says how to mend it: a missing table (ErrNoTable)
// with the nearest names, a missing right with its GRANT, a key without a unique
// index with the DDL that makes it, a table of the partition tree that would
// break the promise because it is unlogged, temporary or foreign, a view that
// takes no rows.
func (s *Store) Table(ctx context.Context, r *sinkd.Route, topic string) (table *sinkd.Table, err error) {
	t := &sinkd.Table{}
	t.Schema, t.Name = r.Table(topic)
	s.cfg.Metrics.table(t.String())
	err = s.watch.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if len(t.Name) > 63 || len(t.Schema) > 63 {
			return misfit(t, "a name has at most 63 bytes in Postgres", "name another table in SINKD_TABLE or SINKD_ROUTES")
		}
		rel, err := readRelation(ctx, conn, t)
		if errors.Is(err, pgx.ErrNoRows) && r.Create {
			if err = s.create(ctx, conn, t, topic); err == nil {
				rel, err = readRelation(ctx, conn, t)
			}
		}
		if errors.Is(err, pgx.ErrNoRows) {
			return missing(ctx, conn, r, t)
		}
		if err == nil {
			err = rel.check(t, r)
		}
		if err == nil && (rel.kind == "v" || !appends(r)) {
			err = writable(ctx, conn, t, r)
		}
		if err == nil {
			err = readColumns(ctx, conn, t)
		}
		if err == nil {
			err = readKey(ctx, conn, t, rel.keys(r))
		}
		return err
	})
	if err != nil {
		e := Classify(err)
		e.Table, e.Topic = t.String(), topic
		return nil, e
	}
	return t, nil
}

// misfit is a table that the configuration names and that cannot be used.
func misfit(t *sinkd.Table, what, fix string) *sinkd.Error {
	return misfitErr(t, errors.New(what), fix)
}

func misfitErr(t *sinkd.Table, cause error, fix string) *sinkd.Error {
	return &sinkd.Error{
		Class: sinkd.Configuration, Kind: sinkd.Refused, Table: t.String(),
		Err: fmt.Errorf("table %s: %w", t, cause), Hint: fix,
	}
}

func readColumns(ctx context.Context, conn *pgx.Conn, t *sinkd.Table) error {
	rows, err := conn.Query(ctx, columnsSQL, t.OID)
	if err != nil {
		return err
	}
	t.Columns, err = pgx.CollectRows(rows, pgx.RowToStructByPos[sinkd.Column])
	return err
}
