package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// relation is what the catalog says of a table beside its columns.
type relation struct {
	oid       uint32
	kind      string
	schema    bool     // whether the role may use the schema
	lacks     []string // the rights that the role has not on all columns
	rowLevel  bool     // whether row-level security applies to it
	role      string
	refused   string // why a table of the partition tree breaks the promise
	refusedAt string
}

// relationSQL reads the table, and the first of its partition tree, itself
// included, that would not keep what was committed.
const relationSQL = `
SELECT c.oid, c.relkind::text, has_schema_privilege(n.oid, 'USAGE'),
       ARRAY(SELECT p FROM unnest(ARRAY['INSERT', 'SELECT', 'UPDATE', 'DELETE']) WITH ORDINALITY AS r(p, n)
              WHERE NOT has_table_privilege(c.oid, p)
                AND (p = 'DELETE' OR NOT (
                    SELECT coalesce(bool_and(has_column_privilege(c.oid, a.attnum, p)), false) FROM pg_attribute a
                     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                       AND a.attgenerated = '' AND a.attidentity <> 'a')) ORDER BY r.n),
       c.relkind IN ('r', 'p') AND row_security_active(c.oid), current_user::text,
       EXISTS (SELECT FROM pg_trigger g
                WHERE (g.tgrelid = c.oid OR g.tgrelid IN (SELECT relid FROM pg_partition_tree(c.oid)))
                  AND NOT g.tgisinternal AND g.tgtype & 3 = 3), -- BEFORE, FOR EACH ROW
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

func readRelation(ctx context.Context, conn *pgx.Conn, t *sinkd.Table) (r relation, err error) {
	err = conn.QueryRow(ctx, relationSQL, t.Schema, t.Name).Scan(
		&r.oid, &r.kind, &r.schema, &r.lacks, &r.rowLevel, &r.role, &t.Triggers, &r.refused, &r.refusedAt)
	t.OID, t.Staged = r.oid, r.kind == "v" || r.rowLevel
	return r, err
}

// check refuses what cannot be written to in the route's mode, or would not
// keep it.
func (r *relation) check(t *sinkd.Table, route *sinkd.Route) error {
	role := quote(r.role)
	switch {
	case !r.schema:
		return misfit(t, "no right to use its schema", fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", quote(t.Schema), role))
	case r.refused != "":
		return misfit(t, fmt.Sprintf("%s is %s: a crash or a failover would lose what was committed there", r.refusedAt, r.refused),
			"use an ordinary (logged) table")
	case r.kind == "m":
		return misfit(t, "it is a materialized view, which only REFRESH writes", "name the table behind it")
	}
	needed := rights(route)
	lacks := slices.DeleteFunc(slices.Clone(r.lacks), func(right string) bool { return !slices.Contains(needed, right) })
	if len(lacks) > 0 {
		return misfit(t, "no right to "+strings.ToLower(strings.Join(lacks, ", ")), grant(t, lacks, r.role))
	}
	return nil
}

// rights are what the route's mode needs on its table: conflicts are found, and
// keys compared, by reading.
func rights(r *sinkd.Route) []string {
	switch {
	case r == nil || r.Mode == "" || r.Mode == sinkd.Append:
		return []string{"INSERT"}
	case r.Mode == sinkd.Ignore:
		return []string{"INSERT", "SELECT"}
	case r.Deletes == "" || r.Deletes == sinkd.Remove:
		return []string{"INSERT", "SELECT", "UPDATE", "DELETE"}
	}
	return []string{"INSERT", "SELECT", "UPDATE"}
}

func grant(t *sinkd.Table, rights []string, role string) string {
	return fmt.Sprintf("GRANT %s ON %s TO %s;", strings.Join(rights, ", "), quote(t.Schema, t.Name), quote(role))
}
