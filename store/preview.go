package store

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/sinkd/sinkd"
)

// Preview is a row as Postgres prints it.
type Preview struct {
	Record *sinkd.Record
	Op     sinkd.Op
	// Columns are those that the record fills, Values their values in Postgres's
	// text form, nil for NULL.
	Columns []string
	Values  []*string
}

// textOID is the type of what is given as text, binaryFormat how the others are.
const (
	textOID      = 25
	binaryFormat = 1
)

// Preview gives at most n rows of a batch that was applied, as their table has
// them.
func (r *Rehearsal) Preview(ctx context.Context, b *sinkd.Batch, n int) ([]Preview, error) {
	if err := r.run(ctx, `SAVEPOINT sinkd_part`); err != nil {
		return nil, Classify(err)
	}
	var out []Preview
	var failed error
	for i := range b.Rows {
		rows := &b.Rows[i]
		for at := 0; at < len(rows.Row) && len(out) < n && failed == nil; at++ {
			p := Preview{Record: b.Record(rows.Row[at]), Op: rows.Op, Columns: rows.Columns}
			if p.Values, failed = r.print(ctx, rows, at); failed == nil {
				out = append(out, p)
			}
		}
	}
	if err := r.undo(ctx); err != nil {
		return nil, Classify(err)
	}
	if failed != nil {
		return out, Classify(failed)
	}
	return out, nil
}

// print lets Postgres print one row.
func (r *Rehearsal) print(ctx context.Context, rows *sinkd.Rows, at int) ([]*string, error) {
	ctx, cancel := r.lane.deadline(ctx, 1)
	defer cancel()
	sql, types, formats := printSQL(rows)
	result := r.lane.conn.ExecParams(ctx, sql, valuesOf(rows, at), types, formats, nil).Read()
	if result.Err != nil {
		return nil, result.Err
	}
	values := make([]*string, len(rows.Columns))
	for i, v := range result.Rows[0] {
		if v != nil {
			text := string(v)
			values[i] = &text
		}
	}
	return values, nil
}

// valuesOf gives the fields of a row, nil for NULL.
func valuesOf(rows *sinkd.Rows, at int) [][]byte {
	tuple := rows.Tuple(at)[2:]
	values := make([][]byte, 0, len(rows.Columns))
	start := 0
	for _, end := range fields(nil, tuple) {
		var v []byte
		if int32(binary.BigEndian.Uint32(tuple[start:])) >= 0 {
			v = tuple[start+4 : end : end]
		}
		values = append(values, v)
		start = end
	}
	return values
}

// printSQL casts the fields to the columns' types, modifiers included, and to
// text.
func printSQL(rows *sinkd.Rows) (sql string, types []uint32, formats []int16) {
	parts := make([]string, len(rows.Columns))
	for i, name := range rows.Columns {
		var c *sinkd.Column
		for j := range rows.Table.Columns {
			if rows.Table.Columns[j].Name == name {
				c = &rows.Table.Columns[j]
			}
		}
		oid, format := c.Type, int16(binaryFormat)
		if rows.Text != nil && rows.Text[i] {
			oid, format = textOID, 0
		}
		types, formats = append(types, oid), append(formats, format)
		parts[i] = "CAST(CAST($" + strconv.Itoa(i+1) + " AS " + c.TypeName + ") AS text)"
	}
	return "SELECT " + strings.Join(parts, ", "), types, formats
}
