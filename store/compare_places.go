package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// indexedSQL tells whether a table has an index that begins with the columns in
// $2, in whatever order, and whether it is an ordinary one.
const indexedSQL = `
SELECT EXISTS (SELECT FROM pg_index i
                WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts >= cardinality($2::text[])
                  AND NOT EXISTS (SELECT FROM generate_series(0, cardinality($2::text[]) - 1) AS k(n)
                                   WHERE i.indkey[k.n] = 0 OR (SELECT a.attname::text FROM pg_attribute a
                                          WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n]) <> ALL ($2::text[]))),
       c.relkind = 'r'
  FROM pg_class c WHERE c.oid = $1`

// byPlace makes the planner go from place to place. Left to itself it scans the
// whole table for each chunk.
const byPlace = `SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off`

// listPlaces lists where the rows of each record are, in one pass over the
// table. Without, each chunk of records would take one, where no index on the
// coordinates helps. The rows stay where they are for as long as the snapshot
// is kept.
func (c *Comparison) listPlaces(ctx context.Context) error {
	var indexed, ordinary bool
	for _, columns := range [][]string{{c.at.partition, c.at.offset}, {c.at.topic, c.at.partition, c.at.offset}} {
		if slices.Contains(columns, "") || indexed {
			continue
		}
		if err := c.conn.QueryRow(ctx, indexedSQL, c.table.OID, columns).Scan(&indexed, &ordinary); err != nil {
			return err
		}
	}
	if c.places = ordinary && !indexed; !c.places {
		if indexed {
			_, err := c.conn.Exec(ctx, "SET LOCAL enable_seqscan = off")
			return err
		}
		return nil
	}
	topic := "NULL::text"
	if c.at.topic != "" {
		topic = "t." + quote(c.at.topic)
	}
	sql := fmt.Sprintf(`CREATE TEMPORARY TABLE sinkd_places AS
		SELECT %s AS topic, t.%s::int4 AS partition, t.%s::int8 AS record, t.tableoid AS rel, t.ctid AS place FROM %s;
		CREATE INDEX ON pg_temp.sinkd_places (partition, record); ANALYZE pg_temp.sinkd_places;
		`+byPlace,
		topic, quote(c.at.partition), quote(c.at.offset), quote(c.table.Schema, c.table.Name)+" AS t")
	_, err := c.conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// slice is the query for the table's rows of a range: $1 partition, $2 from,
// $3 until, $4 topic.
func (c *Comparison) slice() string {
	target := quote(c.table.Schema, c.table.Name) + " AS t"
	if c.places {
		sql := `SELECT p.record AS "sinkd:at", t.* FROM pg_temp.sinkd_places p JOIN ` + target +
			` ON t.ctid = p.place AND t.tableoid = p.rel WHERE p.partition = $1 AND p.record >= $2 AND p.record < $3`
		if c.at.topic != "" {
			sql += " AND p.topic = $4"
		}
		return sql
	}
	at := "t." + quote(c.at.offset)
	sql := "SELECT " + at + `::int8 AS "sinkd:at", t.* FROM ` + target + " WHERE t." + quote(c.at.partition) + " = $1 AND " +
		at + " >= $2 AND " + at + " < $3"
	if c.at.topic != "" {
		sql += " AND t." + quote(c.at.topic) + " = $4"
	}
	return sql
}

// compareRangeSQL matches the rows of a range with those that its records would
// have, and gives what is not one to one and the same.
func (c *Comparison) compareRangeSQL(ld *load) string {
	differs := []string{"false"}
	marks := []string{"NULL"}
	for i, column := range ld.columns {
		condition := c.differs(column, ld.source("x.", column))
		if given := ld.given(column); given != "" {
			condition = "(" + given + " AND " + condition + ")"
		}
		differs = append(differs, condition)
		marks = append(marks, "CASE WHEN "+condition+" THEN "+numberOf(i)+" END")
	}
	x, at := "x."+offsetColumn, `s."sinkd:at"`
	return `
WITH j AS MATERIALIZED (
    SELECT ` + x + ` AS record, ` + at + ` AS there,
           CASE WHEN ` + x + ` = ` + at + ` AND (` + strings.Join(differs, " OR ") + `)
                THEN array_to_string(ARRAY[` + strings.Join(marks, ", ") + `]::int4[], ',') END AS marks
      FROM ` + chunk + ` AS x FULL JOIN (` + c.slice() + `) AS s ON ` + at + ` = ` + x + `
)
SELECT coalesce(record, there), count(there), bool_or(record IS NOT NULL), coalesce(string_agg(marks, ','), '')
  FROM j
 GROUP BY 1
HAVING count(there) <> 1 OR bool_or(record IS NULL) OR string_agg(marks, ',') IS NOT NULL
 ORDER BY 1`
}

// compareRange compares the rows of the batch's range with the chunk.
func (c *Comparison) compareRange(ctx context.Context, b *sinkd.Batch, ld *load) error {
	r := &b.Ranges[0]
	unfit := make(map[int64]bool)
	for i := range b.Dead {
		unfit[b.Dead[i].Record.Offset] = true
	}
	args := []any{pgx.QueryExecModeExec, r.Claim.ID, r.From, r.Until}
	if c.at.topic != "" {
		args = append(args, r.Claim.Topic)
	}
	rows, err := c.conn.Query(ctx, c.compareRangeSQL(ld), args...)
	if err != nil {
		return err
	}
	d := Difference{Topic: r.Claim.Topic, Partition: r.Claim.ID}
	var expected bool
	var marks string
	_, err = pgx.ForEachRow(rows, []any{&d.Offset, &d.Rows, &expected, &marks}, func() error {
		d.Columns = c.marked(ld.columns, marks)
		c.judge(d, expected, unfit[d.Offset])
		delete(unfit, d.Offset)
		return nil
	})
	for offset := range unfit {
		c.lacking(Difference{Topic: d.Topic, Partition: d.Partition, Offset: offset})
	}
	return err
}

// judge names a difference by what is there.
func (c *Comparison) judge(d Difference, expected, unfit bool) {
	switch {
	case d.Rows == 0:
		c.lacking(d)
		return
	case d.Rows > 1 && (expected || unfit):
		d.Kind = "doubled"
	case unfit:
		c.unfit++
		return
	case !expected:
		d.Kind, d.Detail = "unexpected", "a row where Kafka has no record for one, or has one that is a dead letter"
	default:
		d.Kind = "changed"
	}
	c.found(d)
}

// marked gives the columns of the numbers, each once, in the table's order.
func (c *Comparison) marked(columns []string, numbers string) []string {
	var out []string
	for _, name := range c.written() {
		number := numberOf(slices.Index(columns, name))
		if slices.Contains(strings.Split(numbers, ","), number) {
			out = append(out, name)
		}
	}
	return out
}
