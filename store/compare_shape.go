package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sinkd/sinkd"
)

// coordinates are the columns that take a record's coordinates, empty where the
// table has none.
type coordinates struct{ topic, partition, offset string }

// complete tells that a row's record is known by them.
func (k *coordinates) complete(topics int) bool {
	return k.partition != "" && k.offset != "" && (topics == 1 || k.topic != "")
}

// coordinatesOf finds them, by name or as the route maps them.
func coordinatesOf(t *sinkd.Table, r *sinkd.Route) (k coordinates) {
	for i := range t.Columns {
		col := &t.Columns[i]
		if col.Generated {
			continue
		}
		source := map[string]string{"kafka_topic": "@topic", "kafka_partition": "@partition", "kafka_offset": "@offset"}[col.Name]
		if at := slices.IndexFunc(r.Columns, func(m sinkd.Mapping) bool { return m.Column == col.Name }); at >= 0 {
			source = r.Columns[at].Source
		}
		whole := col.Type == pgtype.Int4OID || col.Type == pgtype.Int8OID
		switch {
		case source == "@topic" && (col.Type == pgtype.TextOID || col.Type == pgtype.VarcharOID):
			k.topic = col.Name
		case source == "@partition" && (whole || col.Type == pgtype.Int2OID):
			k.partition = col.Name
		case source == "@offset" && whole:
			k.offset = col.Name
		}
	}
	return k
}

// TellsTopics tells whether a table that several topics go into can be compared
// with one of them alone: its rows are matched by coordinates, topic included.
func TellsTopics(t *sinkd.Table, r *sinkd.Route) bool {
	at := coordinatesOf(t, r)
	return appends(r) && at.complete(2)
}

// readShape reads what a lane reads of a table that it writes by statements.
func (c *Comparison) readShape(ctx context.Context) error {
	oid := fmt.Append(nil, c.table.OID)
	key, err := c.conn.TypeMap().Encode(pgtype.TextArrayOID, pgtype.TextFormatCode, c.table.Key, nil)
	if err != nil {
		return err
	}
	var results []*pgconn.Result
	for _, q := range []struct {
		sql  string
		args [][]byte
	}{{shapeSQL, [][]byte{oid}}, {keySQL, [][]byte{oid, key}}, {kindSQL, [][]byte{oid}}} {
		result := c.conn.PgConn().ExecParams(ctx, q.sql, q.args, nil, nil, []int16{pgtype.BinaryFormatCode}).Read()
		if result.Err != nil {
			return result.Err
		}
		results = append(results, result)
	}
	if c.shape = newShape(results); c.shape == nil {
		return misfitErr(c.table, ErrNoTable, "")
	}
	return nil
}

const (
	// hidingSQL tells whether row-level security hides rows from the role.
	hidingSQL = `SELECT row_security_active($1::oid)`

	// meddlingSQL names what may change rows on their way into the table.
	meddlingSQL = `
SELECT coalesce(string_agg(t.tgname::text, ', ' ORDER BY t.tgname), '')
  FROM pg_trigger t
 WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 1 <> 0 AND t.tgtype & 66 <> 0`
)

// limits notes what keeps the comparison from saying all.
func (c *Comparison) limits(ctx context.Context) error {
	var hiding bool
	if err := c.conn.QueryRow(ctx, hidingSQL, c.table.OID).Scan(&hiding); err != nil {
		return err
	}
	if hiding {
		c.unproved(0, "row-level security applies to the role: rows that it hides look lost")
	}
	var triggers string
	if err := c.conn.QueryRow(ctx, meddlingSQL, c.table.OID).Scan(&triggers); err != nil {
		return err
	}
	if triggers != "" && c.Lost+c.Changed > 0 {
		c.unproved(0, "triggers may have changed or refused rows on their way into the table: "+triggers)
	}
	return nil
}

// written are the columns that a record can fill.
func (c *Comparison) written() []string {
	var names []string
	for i := range c.table.Columns {
		if !c.table.Columns[i].Generated {
			names = append(names, c.table.Columns[i].Name)
		}
	}
	return names
}

// geometric tells of types whose equality is that of areas, or of numbers of
// points.
func geometric(oid uint32) bool {
	switch oid {
	case pgtype.PointOID, pgtype.LsegOID, pgtype.PathOID, pgtype.BoxOID, pgtype.PolygonOID, pgtype.LineOID, pgtype.CircleOID:
		return true
	}
	return false
}

// findIncomparable finds the columns whose text forms are compared, because
// their types have no equality that would say anything.
func (c *Comparison) findIncomparable(ctx context.Context) error {
	for i := range c.table.Columns {
		col := &c.table.Columns[i]
		if c.asText[col.Name] = geometric(col.Type) || geometric(col.Elem); c.asText[col.Name] || col.Generated {
			continue
		}
		cast := c.shape.columns[col.Name].cast
		if _, err := c.conn.Exec(ctx, "SAVEPOINT type"); err != nil {
			return err
		}
		_, failed := c.conn.Exec(ctx, "SELECT CAST(NULL AS "+cast+") IS DISTINCT FROM CAST(NULL AS "+cast+")")
		if _, err := c.conn.Exec(ctx, "ROLLBACK TO SAVEPOINT type"); err != nil {
			return err
		}
		c.asText[col.Name] = failed != nil
	}
	return nil
}

// differs is the condition that a column of the records' rows, which alias x
// has, is not that of the table's, which alias s has.
func (c *Comparison) differs(column, x string) string {
	is := "s." + quote(column)
	if c.asText[column] {
		return "CAST(" + x + " AS text) IS DISTINCT FROM CAST(" + is + " AS text)"
	}
	return x + " IS DISTINCT FROM " + is
}
