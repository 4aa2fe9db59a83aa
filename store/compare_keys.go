package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// expected is the temporary table that has, key by key, what all records so far
// make of a row. Beside the table's columns it has the place of the last record
// that had an effect, a bit for each column that a record gave, whether that
// record was a delete, and whether the row depends on the order of records of
// different partitions.
const (
	expected        = "pg_temp.sinkd_expected"
	topicColumn     = `"sinkd:topic"`
	partitionColumn = `"sinkd:partition"`
	givenColumn     = `"sinkd:given"`
	goneColumn      = `"sinkd:gone"`
	crossedColumn   = `"sinkd:crossed"`
)

// expect makes the table of what is expected.
func (c *Comparison) expect(ctx context.Context) error {
	ld := &load{table: c.table, route: c.route, shape: c.shape}
	_, err := c.conn.PgConn().Exec(ctx, "CREATE TEMPORARY TABLE sinkd_expected ("+
		topicColumn+" int4, "+partitionColumn+" int4, "+offsetColumn+" int8, "+givenColumn+" varbit, "+
		goneColumn+" bool, "+crossedColumn+" bool, "+ld.define(c.written())+
		"); CREATE UNIQUE INDEX ON "+expected+" ("+names(c.table.Key, "")+")").ReadAll()
	return err
}

// overlay lets the chunk's rows have their effect on what is expected.
func (c *Comparison) overlay(ctx context.Context, b *sinkd.Batch, ld *load) error {
	claim := b.Ranges[0].Claim
	for i := range b.Dead {
		if !c.pardoned(&Difference{Topic: claim.Topic, Partition: claim.ID, Offset: b.Dead[i].Record.Offset}) {
			c.unfit++
		}
	}
	o := &overlay{
		load: ld, written: c.written(),
		place: fmt.Sprintf("%d, %d", slices.Index(c.Topics, claim.Topic), claim.ID),
	}
	if len(o.rows) == 0 {
		return nil
	}
	if !o.unfolded() {
		return c.round(ctx, o)
	}
	last, err := c.number(ctx, o)
	for n := int64(1); n <= last && err == nil; n++ {
		o.only = "x." + roundColumn + " = " + numberOf(int(n))
		err = c.round(ctx, o)
	}
	return err
}

// number numbers the rows of each key in the order of the log, and gives the
// highest.
func (c *Comparison) number(ctx context.Context, o *overlay) (last int64, err error) {
	keys := make([]string, len(c.table.Key))
	for i := range keys {
		keys[i] = o.key(i)
	}
	_, err = c.conn.Exec(ctx, "UPDATE "+chunk+" AS y SET "+roundColumn+" = r.n FROM (SELECT x.ctid AS place, row_number() OVER (PARTITION BY "+
		strings.Join(keys, ", ")+" ORDER BY x."+offsetColumn+", x."+listColumn+") AS n FROM "+chunk+" AS x) AS r WHERE r.place = y.ctid")
	if err == nil {
		err = c.conn.QueryRow(ctx, "SELECT max("+roundColumn+") FROM "+chunk).Scan(&last)
	}
	return last, err
}

// round runs the statements for rows of which no two have one key and do the
// same: what takes away comes first, as in the batch.
func (c *Comparison) round(ctx context.Context, o *overlay) error {
	for _, step := range []struct {
		op  sinkd.Op
		sql func(is string) string
	}{{sinkd.Delete, o.deleteSQL}, {sinkd.Mark, o.markSQL}, {sinkd.Write, o.writeSQL}} {
		is := o.lists(step.op)
		if is == "" {
			continue
		}
		if _, err := c.conn.Exec(ctx, step.sql(is), pgx.QueryExecModeExec); err != nil {
			return err
		}
	}
	return nil
}

// compareKeysSQL matches what is expected with the table's rows, and gives what
// is not the same.
func (c *Comparison) compareKeysSQL() string {
	differs := []string{"false"}
	marks := []string{"NULL"}
	for i, column := range c.written() {
		if slices.Contains(c.table.Key, column) || c.route.Mode == sinkd.Ignore && !c.kept {
			continue
		}
		condition := fmt.Sprintf("(get_bit(e.%s, %d) = 1 AND %s)", givenColumn, i, c.differs(column, "e."+quote(column)))
		differs = append(differs, condition)
		marks = append(marks, "CASE WHEN "+condition+" THEN "+numberOf(i)+" END")
	}
	there := "s." + quote(c.table.Key[0]) + " IS NOT NULL"
	return "SELECT e." + topicColumn + ", e." + partitionColumn + ", e." + offsetColumn + ", e." + goneColumn + ", " + there +
		", array_to_string(ARRAY[" + strings.Join(marks, ", ") + "]::int4[], ',') FROM " + c.paired() +
		" WHERE NOT e." + crossedColumn + " AND (e." + goneColumn + " = (" + there + ") OR " + there + " AND NOT " + c.newer() +
		" AND (" + strings.Join(differs, " OR ") + ")) ORDER BY 1, 2, 3"
}

// paired joins what is expected with the table's rows, by the key's operators.
func (c *Comparison) paired() string {
	same := make([]string, len(c.table.Key))
	for i, k := range c.table.Key {
		same[i] = "s." + quote(k) + " " + c.shape.keys[i].operator + " e." + quote(k) + c.shape.keys[i].collation
	}
	return expected + " AS e LEFT JOIN " + quote(c.table.Schema, c.table.Name) + " AS s ON " + strings.Join(same, " AND ")
}

// newer is the condition that the table's row may have its version from a record
// that Kafka no longer has.
func (c *Comparison) newer() string {
	if c.kept || c.route.Version == "" || c.route.Mode != sinkd.Upsert {
		return "false"
	}
	v := quote(c.route.Version)
	return "coalesce(s." + v + " > e." + v + ", false)"
}

// compareKeys compares what is expected with the table.
func (c *Comparison) compareKeys(ctx context.Context) error {
	if _, err := c.conn.Exec(ctx, "ANALYZE "+expected); err != nil {
		return err
	}
	rows, err := c.conn.Query(ctx, c.compareKeysSQL(), pgx.QueryExecModeExec)
	if err != nil {
		return err
	}
	var topic int32
	var d Difference
	var gone, there bool
	var marks string
	_, err = pgx.ForEachRow(rows, []any{&topic, &d.Partition, &d.Offset, &gone, &there, &marks}, func() error {
		d.Topic, d.Columns = c.Topics[topic], c.marked(c.written(), marks)
		c.judgeKey(d, gone, there)
		return nil
	})
	if err != nil {
		return err
	}
	return c.countKeys(ctx)
}

// judgeKey names a difference by what is there, of the last record of a key.
func (c *Comparison) judgeKey(d Difference, gone, there bool) {
	switch {
	case gone:
		d.Kind, d.Rows, d.Columns, d.Detail = "unexpected", 1, nil, "the record deletes a row, which is there"
	case !there:
		d.Columns = nil
		c.lacking(d)
		return
	case c.pardoned(&d):
		return
	default:
		d.Kind, d.Rows = "changed", 1
	}
	c.found(d)
}

// countKeys counts what was not compared.
func (c *Comparison) countKeys(ctx context.Context) error {
	var crossed, newer int64
	err := c.conn.QueryRow(ctx, "SELECT count(*) FILTER (WHERE e."+crossedColumn+"), count(*) FILTER (WHERE NOT e."+crossedColumn+
		" AND "+c.newer()+"), (SELECT count(*) FROM "+quote(c.table.Schema, c.table.Name)+") - count(s."+quote(c.table.Key[0])+
		") FROM "+c.paired()).Scan(&crossed, &newer, &c.Others)
	if crossed > 0 {
		c.unproved(crossed, "keys that have records in several partitions, whose order is not defined without SINKD_VERSION_COLUMN")
	}
	if newer > 0 {
		c.unproved(newer, "keys whose row has a newer version than any record that Kafka still has")
	}
	return err
}
