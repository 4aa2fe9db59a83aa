package store

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// sieve is a stage that tells of each row which constraint of a table refuses
// it: the table's columns without its constraints, and one that is generated
// from them. PostgreSQL lets such a column depend on nothing but the row's own
// values, by immutable functions, so that what it holds does not hang on where
// and when the row is looked at.
type sieve struct {
	// columns define the stage.
	columns string
	// rules are numbered by the generated column.
	rules []rule
}

// rule is a constraint, by what its refusal names: column or constraint.
type rule struct{ code, name string }

// ruleOf gives the rule of the table by which a row was refused, without a name
// where it was none: the check of a domain, or of another table.
func ruleOf(pg *pgconn.PgError, t *sinkd.Table) rule {
	r := rule{code: pg.Code}
	switch {
	case pg.SchemaName != t.Schema || pg.TableName != t.Name:
	case pg.Code == checkViolation:
		r.name = pg.ConstraintName
	case pg.Code == notNullViolation:
		r.name = pg.ColumnName
	}
	return r
}

// The columns that a sieve has beside the table's.
const (
	lineColumn    = `"sinkd:line"`
	verdictColumn = `"sinkd:verdict"`
)

const (
	// sieveSQL defines the columns of table $1 that rows with the columns $2
	// fill, and those that are NULL without them: as they are declared, so that what a type or a domain refuses is
	// refused here as well. It answers nothing where a row may be looked at by
	// more than the table's own constraints before they do, or may be changed: by
	// triggers, or by the choice of a partition.
	sieveSQL = `
SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
       || coalesce(' COLLATE ' || quote_ident(n.nspname) || '.' || quote_ident(l.collname), '')
       || CASE a.attgenerated WHEN 's' THEN ' GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || ') STORED' ELSE '' END,
       ', ' ORDER BY a.attnum)
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  LEFT JOIN pg_collation l ON l.oid = a.attcollation
  LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
 WHERE c.oid = $1 AND c.relkind = 'r' AND (a.attname = ANY ($2::text[]) OR a.attgenerated = 's' OR NOT a.atthasdef AND a.attidentity = '')
   AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgtype & 3 = 3)`

	// constraintsSQL lists, in the order in which PostgreSQL looks at them, the
	// constraints of table $1 that rows with the columns $2 may violate, with the
	// condition on which a row does. What depends on defaults alone is the same
	// for each row, and left out; a check that depends on others as well, or on
	// the row as a whole, has no condition. (to_jsonb, because only from
	// PostgreSQL 18 on a check may be NOT ENFORCED.)
	constraintsSQL = `
WITH filled AS (
    SELECT attnum, attname, attnotnull FROM pg_attribute
     WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND (attname = ANY ($2::text[]) OR attgenerated <> '' OR NOT atthasdef AND attidentity = '')
)
SELECT code, name, condition
  FROM (SELECT '` + notNullViolation + `' AS code, attname AS name, quote_ident(attname) || ' IS NULL' AS condition, attnum AS place
          FROM filled WHERE attnotnull
         UNION ALL
        SELECT '` + checkViolation + `', c.conname, CASE WHEN own = total THEN '(' || pg_get_expr(c.conbin, c.conrelid) || ') IS FALSE' END, NULL
          FROM pg_constraint c
         CROSS JOIN LATERAL (SELECT count(*), count(f.attnum), coalesce(min(k), 0)
                               FROM unnest(c.conkey) AS k LEFT JOIN filled f ON f.attnum = k) AS of(total, own, lowest)
         WHERE c.conrelid = $1 AND c.contype = 'c' AND coalesce((to_jsonb(c)->>'conenforced')::boolean, true)
           AND (own > 0 OR lowest <= 0)) AS r
 ORDER BY place NULLS LAST, name`
)

// describe gives the sieve for rows of the table with the columns, nil where
// there can be none.
func (l *lane) describe(ctx context.Context, t *sinkd.Table, columns []string) (*sieve, error) {
	if l.prepared[sieveSQL] == nil {
		if err := l.prepare(ctx, sieveSQL, constraintsSQL); err != nil {
			return nil, err
		}
	}
	args := []any{t.OID, columns}
	results, err := l.exchange(ctx, request{sql: sieveSQL, args: args}, request{sql: constraintsSQL, args: args})
	if err != nil {
		return nil, err
	}
	own := results[0].Rows[0][0]
	if own == nil || len(results[1].Rows) == 0 {
		return nil, nil
	}
	s := new(sieve)
	var verdict strings.Builder
	for i, row := range results[1].Rows {
		if row[2] == nil {
			return nil, nil
		}
		s.rules = append(s.rules, rule{code: string(row[0]), name: string(row[1])})
		verdict.WriteString(" WHEN " + string(row[2]) + " THEN " + strconv.Itoa(i))
	}
	s.columns = string(own) + ", " + lineColumn + " int8 GENERATED ALWAYS AS IDENTITY, " +
		verdictColumn + " int4 GENERATED ALWAYS AS (CASE" + verdict.String() + " END) STORED"
	return s, nil
}

// verdict is a row, by its number in the stream, and the first rule that it
// violates.
type verdict struct {
	row  int
	rule rule
}

// violatorsSQL lists the rows that the sieve holds back.
func violatorsSQL(st *stage) string {
	return "SELECT " + lineColumn + " - (SELECT min(" + lineColumn + ") FROM " + st.name + "), " + verdictColumn +
		" FROM " + st.name + " WHERE " + verdictColumn + " IS NOT NULL ORDER BY 1"
}

// verdicts reads the answer to violatorsSQL.
func (s *sieve) verdicts(answer *pgconn.Result) []verdict {
	verdicts := make([]verdict, len(answer.Rows))
	for i, row := range answer.Rows {
		verdicts[i] = verdict{row: int(int64Of(row[0])), rule: s.rules[binary.BigEndian.Uint32(row[1])]}
	}
	return verdicts
}
