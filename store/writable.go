package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// notInState is what Postgres answers to a command that a view does not pass on,
// or that a publication forbids. It is transient by its class, and these two are
// not.
const notInState = "55000"

// unwritableSQL gives those of the commands $2 that relation $1 cannot take,
// whatever the rights: those that a view does not pass on, and those that are
// published of a table of the partition tree that has nothing to tell its rows
// by.
const unwritableSQL = `
SELECT ARRAY(SELECT w.command FROM unnest($2::text[]) AS w(command)
              WHERE c.relkind = 'v' AND pg_relation_is_updatable(c.oid, true)
                    & CASE w.command WHEN 'UPDATE' THEN 4 WHEN 'INSERT' THEN 8 ELSE 16 END = 0),
       coalesce((SELECT t.oid::regclass::text FROM pg_class t
         WHERE (t.oid = c.oid OR t.oid IN (SELECT relid FROM pg_partition_tree(c.oid))) AND t.relkind = 'r'
           AND CASE t.relreplident WHEN 'f' THEN false WHEN 'n' THEN true
               ELSE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid
                                   AND CASE t.relreplident WHEN 'd' THEN i.indisprimary ELSE i.indisreplident END) END
           AND EXISTS (SELECT FROM pg_publication p
                        WHERE (p.pubupdate AND 'UPDATE' = ANY($2) OR p.pubdelete AND 'DELETE' = ANY($2))
                          AND (p.puballtables OR EXISTS (
                              SELECT FROM pg_get_publication_tables(p.pubname) AS g
                               WHERE g.relid = t.oid OR g.relid IN (SELECT relid FROM pg_partition_ancestors(t.oid)))))
         ORDER BY t.oid LIMIT 1), '')
  FROM pg_class c WHERE c.oid = $1`

// commands are those that the route's mode writes its table by.
func commands(r *sinkd.Route) []string {
	return slices.DeleteFunc(rights(r), func(right string) bool { return right == "SELECT" })
}

// writable refuses a table that could never be written as the route's mode does.
func writable(ctx context.Context, conn *pgx.Conn, t *sinkd.Table, r *sinkd.Route) error {
	var lacks []string
	var unidentified string
	err := conn.QueryRow(ctx, unwritableSQL, t.OID, commands(r)).Scan(&lacks, &unidentified)
	switch {
	case err != nil:
		return err
	case len(lacks) > 0:
		return misfit(t, "it is a view that takes no "+strings.Join(lacks, ", no "),
			fmt.Sprintf("name the table behind it, or make the view writable: CREATE TRIGGER ... INSTEAD OF %s ON %s FOR EACH ROW ...",
				strings.Join(lacks, " OR "), quote(t.Schema, t.Name)))
	case unidentified != "":
		return misfit(t, "updates or deletes of "+unidentified+" are published, and it has no replica identity to tell its rows by",
			fmt.Sprintf("give it a primary key, or: ALTER TABLE %s REPLICA IDENTITY FULL;", unidentified))
	}
	return nil
}

// takesSQL fails where unwritableSQL finds something.
const takesSQL = `SELECT 1 / (u.commands = '{}' AND u.relation = '')::integer FROM (` + unwritableSQL + `) AS u(commands, relation)`

// unwritable tells that the load's table takes no more what is written to it.
func (t *transaction) unwritable(ctx context.Context, ld *load) bool {
	if t.prepared[takesSQL] == nil && t.prepare(ctx, takesSQL) != nil {
		return false
	}
	_, err := t.exchange(ctx, request{sql: takesSQL, args: []any{ld.table.OID, commands(ld.route)}})
	return drifted(err)
}
