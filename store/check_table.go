package store

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// limit is a look at one property of a table of which people should know.
type limit struct {
	// sql answers an array of texts for each finding: $1 is the table, $2 the
	// rights that the route's mode needs.
	sql string
	// tell makes the finding of such an array.
	tell func(t *sinkd.Table, of []string) Finding
}

func limits() []limit {
	return []limit{
		{triggersSQL, tellTrigger},
		{rulesSQL, tellRule},
		{policiesSQL, tellPolicies},
		{noPolicySQL, tellNoPolicy},
		{partitionedSQL, tellPartitions},
		{sequencesSQL, tellSequence},
	}
}

// CheckTable tells what of the topic's table limits what is written to it:
// triggers, rules, policies, partitions, sequences, and what extensions make of
// it. The table is one that Table gave.
func (s *Store) CheckTable(ctx context.Context, r *sinkd.Route, t *sinkd.Table) ([]Finding, error) {
	var findings []Finding
	err := s.watch.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		extended, err := extensions(ctx, conn)
		if err != nil {
			return err
		}
		for _, l := range append(limits(), extended...) {
			rows, err := conn.Query(ctx, l.sql, t.OID, rights(r))
			if err != nil {
				return err
			}
			all, err := pgx.CollectRows(rows, pgx.RowTo[[]string])
			if err != nil {
				return err
			}
			for _, of := range all {
				f := l.tell(t, of)
				f.Name = "table " + t.String()
				findings = append(findings, f)
			}
		}
		return nil
	})
	return findings, err
}

// noted is a finding that stops nothing.
func noted(words ...string) Finding {
	return Finding{OK: true, Note: true, Detail: strings.Join(words, "")}
}

// triggersSQL gives those that sinkd fires, of the whole partition tree. Those
// that Timescale makes are of the table's own working.
const triggersSQL = `
SELECT ARRAY[g.tgname::text, g.tgrelid::regclass::text,
       CASE WHEN g.tgtype & 64 <> 0 THEN 'INSTEAD OF' WHEN g.tgtype & 2 <> 0 THEN 'BEFORE' ELSE 'AFTER' END,
       CASE WHEN g.tgtype & 1 <> 0 THEN 'once a row' ELSE 'once a statement' END || CASE WHEN g.tginitdeferred THEN ', at COMMIT' ELSE '' END,
       g.tgfoid::regprocedure::text]
  FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid JOIN pg_namespace n ON n.oid = f.pronamespace
 WHERE (g.tgrelid = $1 OR g.tgrelid IN (SELECT relid FROM pg_partition_tree($1)) AND g.tgparentid = 0)
   AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND NOT starts_with(n.nspname::text, '_timescaledb')
   AND g.tgtype & (CASE WHEN 'INSERT' = ANY($2::text[]) THEN 4 ELSE 0 END | CASE WHEN 'DELETE' = ANY($2) THEN 8 ELSE 0 END
                 | CASE WHEN 'UPDATE' = ANY($2) THEN 16 ELSE 0 END) <> 0
 ORDER BY g.tgrelid::regclass::text, g.tgname`

func tellTrigger(_ *sinkd.Table, of []string) Finding {
	return noted("trigger ", of[0], " of ", of[1], " (", of[2], ", ", of[4], ") runs ", of[3],
		", in the batch's transaction: what it writes there takes effect once as well, what it does elsewhere may be done again, and a record that it raises an error for is a dead letter")
}

// rulesSQL gives the rules of a table: COPY passes over them.
const rulesSQL = `
SELECT ARRAY[w.rulename::text] FROM pg_rewrite w
 WHERE w.ev_class = $1 AND w.ev_type IN ('2', '3', '4') AND w.ev_enabled IN ('O', 'A') AND $2::text[] IS NOT NULL
 ORDER BY w.rulename`

func tellRule(t *sinkd.Table, of []string) Finding {
	if t.Staged {
		return noted("rule ", of[0], " rewrites what is written")
	}
	return noted("rule ", of[0], " is passed over by COPY, and refuses conflicts in upsert and ignore mode; a trigger in its place works in all of them")
}

// heldSQL tells that a policy holds for the role.
const heldSQL = `(0 = ANY(p.polroles) OR EXISTS (SELECT FROM unnest(p.polroles) AS r(oid) WHERE r.oid <> 0 AND pg_has_role(r.oid, 'USAGE')))`

// policiesSQL gives the policies of row-level security that hold for the role.
const policiesSQL = `
SELECT ARRAY[current_user::text, string_agg(p.polname::text, ', ' ORDER BY p.polname)]
  FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid AND ` + heldSQL + `
 WHERE c.oid = $1 AND c.relkind IN ('r', 'p') AND row_security_active(c.oid) AND $2::text[] IS NOT NULL
HAVING count(*) > 0`

func tellPolicies(_ *sinkd.Table, of []string) Finding {
	return noted("row-level security holds for the role ", of[0], " (policies: ", of[1],
		"): rows go by way of a temporary table, which is slower, and one that no policy lets through halts its partition")
}

// noPolicySQL gives what row-level security lets the role never do.
const noPolicySQL = `
SELECT ARRAY[w.command, current_user::text]
  FROM pg_class c, unnest($2::text[]) AS w(command)
 WHERE c.oid = $1 AND c.relkind IN ('r', 'p') AND row_security_active(c.oid)
   AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive AND ` + heldSQL + `
                      AND p.polcmd IN ('*', CASE w.command WHEN 'INSERT' THEN 'a' WHEN 'SELECT' THEN 'r' WHEN 'UPDATE' THEN 'w' ELSE 'd' END))`

func tellNoPolicy(t *sinkd.Table, of []string) Finding {
	condition := "USING (true)"
	if of[0] == "INSERT" {
		condition = "WITH CHECK (true)"
	}
	return Finding{
		Detail: "row-level security is on, and no policy lets the role " + of[1] + " " + strings.ToLower(of[0]),
		Fix: "CREATE POLICY " + quote("sinkd_"+strings.ToLower(of[0])) + " ON " + quote(t.Schema, t.Name) +
			" FOR " + of[0] + " TO " + quote(of[1]) + " " + condition + ";",
	}
}

// partitionedSQL tells of a partitioned table that does not take every row.
const partitionedSQL = `
SELECT ARRAY[(SELECT count(*)::text FROM pg_inherits i WHERE i.inhparent = p.partrelid), pg_get_partkeydef(p.partrelid)]
  FROM pg_partitioned_table p
 WHERE p.partrelid = $1 AND p.partstrat <> 'h' AND p.partdefid = 0 AND $2::text[] IS NOT NULL`

func tellPartitions(_ *sinkd.Table, of []string) Finding {
	return noted("it is partitioned by ", of[1], " into ", of[0],
		", and none of them is the DEFAULT: a record whose row belongs to none halts its partition of the topic, until one is made")
}

// sequencesSQL gives the sequences that defaults take from and the role may not
// use.
const sequencesSQL = `
SELECT ARRAY[a.attname::text, q.oid::regclass::text, current_user::text]
  FROM pg_attrdef d
  JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
  JOIN pg_depend e ON e.classid = 'pg_attrdef'::regclass AND e.objid = d.oid AND e.refclassid = 'pg_class'::regclass
  JOIN pg_class q ON q.oid = e.refobjid
 WHERE d.adrelid = $1 AND $2::text[] IS NOT NULL
   AND CASE WHEN q.relkind = 'S' THEN NOT has_sequence_privilege(q.oid, 'USAGE') AND NOT has_sequence_privilege(q.oid, 'UPDATE') END
 ORDER BY a.attnum`

func tellSequence(_ *sinkd.Table, of []string) Finding {
	f := noted("column ", of[0], " takes its default from the sequence ", of[1],
		", which the role may not use: a record without that field halts its partition")
	f.Fix = "GRANT USAGE ON SEQUENCE " + of[1] + " TO " + quote(of[2]) + ";"
	return f
}
