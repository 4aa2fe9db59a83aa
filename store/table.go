package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/internal/nearest"
)

// ErrNoTable is what an error of Table wraps where there is no such table.
var ErrNoTable = errors.New("it does not exist")

// relation is what the catalog says of a table beside its columns.
type relation struct {
	oid       uint32
	kind      string
	schema    bool // whether the role may use the schema
	insert    bool // whether it may insert into all columns
	rowLevel  bool // whether row-level security applies to it
	role      string
	refused   string // why a table of the partition tree breaks the promise
	refusedAt string
}

const (
	// relationSQL reads the table, and the first of its partition tree, itself
	// included, that would not keep what was committed.
	relationSQL = `
SELECT c.oid, c.relkind::text, has_schema_privilege(n.oid, 'USAGE'),
       has_table_privilege(c.oid, 'INSERT')
           OR (SELECT bool_and(has_column_privilege(c.oid, a.attnum, 'INSERT')) FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                  AND a.attgenerated = '' AND a.attidentity <> 'a'),
       c.relkind IN ('r', 'p') AND row_security_active(c.oid), current_user::text,
       coalesce(bad.why, ''), coalesce(bad.oid::regclass::text, '')
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
       SELECT t.oid, CASE WHEN t.relkind = 'f' THEN 'foreign' WHEN t.relpersistence = 't' THEN 'temporary' ELSE 'unlogged' END AS why
         FROM pg_class t
        WHERE (t.oid = c.oid OR t.oid IN (SELECT relid FROM pg_partition_tree(c.oid)))
          AND (t.relkind = 'f' OR t.relkind = 'r' AND t.relpersistence <> 'p')
        ORDER BY t.oid LIMIT 1) AS bad ON true
 WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`

	// columnsSQL reads the columns, with domains followed to their base type.
	columnsSQL = `
WITH RECURSIVE base(attnum, type, typmod, required, hasdefault) AS (
    SELECT attnum, atttypid, atttypmod, attnotnull, atthasdef
      FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT b.attnum, t.typbasetype, CASE WHEN b.typmod >= 0 THEN b.typmod ELSE t.typtypmod END,
           b.required OR t.typnotnull, b.hasdefault OR t.typdefault IS NOT NULL
      FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype = 'd'
)
SELECT a.attname, b.type, t.typtype, coalesce(e.oid, 0), coalesce(e.typtype, ''),
       format_type(a.atttypid, a.atttypmod), b.typmod, b.required, NOT coalesce(l.collisdeterministic, true),
       (b.hasdefault OR a.attidentity <> ''), (a.attgenerated <> '' OR a.attidentity = 'a')
  FROM pg_attribute a
  JOIN base b USING (attnum)
  JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
  LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
  LEFT JOIN pg_collation l ON l.oid = a.attcollation
 WHERE a.attrelid = $1
 ORDER BY a.attnum`

	keySQL = `
SELECT a.attname
  FROM pg_index i, LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, n)
  JOIN pg_attribute a ON a.attnum = k.attnum
 WHERE i.indrelid = $1 AND i.indisprimary AND a.attrelid = $1
 ORDER BY k.n`
)

// Table reads the topic's table from the catalog, and creates the landing
// table where the route allows it and there is none. What cannot be used is a
// Configuration error that says how to mend it: a missing table (ErrNoTable)
// with the nearest names, a missing right with its GRANT, a table of the partition tree
// that would break the promise because it is unlogged, temporary or foreign.
func (s *Store) Table(ctx context.Context, r *sinkd.Route, topic string) (table *sinkd.Table, err error) {
	t := &sinkd.Table{}
	t.Schema, t.Name = r.Table(topic)
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
			return missing(ctx, conn, t)
		}
		if err == nil {
			err = rel.check(t)
		}
		if err == nil {
			err = readColumns(ctx, conn, t)
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

func readRelation(ctx context.Context, conn *pgx.Conn, t *sinkd.Table) (r relation, err error) {
	err = conn.QueryRow(ctx, relationSQL, t.Schema, t.Name).Scan(
		&r.oid, &r.kind, &r.schema, &r.insert, &r.rowLevel, &r.role, &r.refused, &r.refusedAt)
	t.OID = r.oid
	return r, err
}

// check refuses what cannot be written to by COPY, or would not keep it.
func (r *relation) check(t *sinkd.Table) error {
	role := quote(r.role)
	switch {
	case !r.schema:
		return misfit(t, "no right to use its schema", fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", quote(t.Schema), role))
	case r.refused != "":
		return misfit(t, fmt.Sprintf("%s is %s: a crash or a failover would lose what was committed there", r.refusedAt, r.refused),
			"use an ordinary (logged) table")
	case r.kind == "v" || r.kind == "m":
		return misfit(t, "it is a view, which is not supported yet", "name the table behind it")
	case !r.insert:
		return misfit(t, "no right to insert", fmt.Sprintf("GRANT INSERT ON %s TO %s;", quote(t.Schema, t.Name), role))
	case r.rowLevel:
		return misfit(t, "its row-level security applies to this role, which is not supported yet",
			fmt.Sprintf("let the owner write, or ALTER ROLE %s BYPASSRLS;", role))
	}
	return nil
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
	batch := &pgx.Batch{} // one snapshot is not needed: the next catalog read mends what changed in between
	batch.Queue(columnsSQL, t.OID).Query(func(rows pgx.Rows) (err error) {
		t.Columns, err = pgx.CollectRows(rows, pgx.RowToStructByPos[sinkd.Column])
		return err
	})
	batch.Queue(keySQL, t.OID).Query(func(rows pgx.Rows) (err error) {
		t.Key, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return conn.SendBatch(ctx, batch).Close()
}

// missing tells that there is no such table, and which ones have a name close
// to it.
func missing(ctx context.Context, conn *pgx.Conn, t *sinkd.Table) error {
	rows, err := conn.Query(ctx, `
		SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
		   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
		 ORDER BY 1 LIMIT 10000`)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	fix := "create it, or set SINKD_CREATE_TABLE=always"
	if near := namesLike(t, names); len(near) > 0 {
		fix = "did you mean " + strings.Join(near, " or ") + "? Else " + fix
	}
	return misfitErr(t, ErrNoTable, fix)
}

// namesLike gives at most three of names that the table's was probably meant
// to be: the same name in another schema, or one that differs by a few letters.
func namesLike(t *sinkd.Table, names []string) []string {
	var like, others []string
	for _, name := range names {
		if _, bare, _ := strings.Cut(name, "."); strings.EqualFold(bare, t.Name) {
			like = append(like, name)
		} else {
			others = append(others, name)
		}
	}
	like = append(nearest.Of(t.String(), like, math.MaxInt), nearest.Of(t.String(), others, 1+len(t.Name)/3)...)
	return like[:min(3, len(like))]
}
