package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/sinkd/sinkd"
)

// chunk is the temporary table that has the rows of one range, as the records
// would have them, behind their list of columns and their offset.
const (
	chunk        = "pg_temp.sinkd_chunk"
	offsetColumn = `"sinkd:offset"`
	chunkFronts  = 2
)

// load loads the encoded rows of a range into the chunk's table.
func (c *Comparison) load(ctx context.Context, b *sinkd.Batch) error {
	ld := c.loadOf(b)
	if err := c.makeChunk(ctx, ld); err != nil || len(ld.rows) == 0 {
		return err
	}
	c.spare = ld.located(b, c.spare[:0])
	columns := listColumn + ", " + offsetColumn + ", " + names(ld.columns, "")
	_, err := c.conn.PgConn().CopyFrom(ctx, bytes.NewReader(c.spare), copySQL(chunk, columns))
	if cap(c.spare) > maxSpare {
		c.spare = nil
	}
	return err
}

// loadOf gives what the batch has for the table, all of it in one.
func (c *Comparison) loadOf(b *sinkd.Batch) *load {
	ld := &load{table: c.table, route: c.route, text: map[string]bool{}, shape: c.shape}
	for i := range b.Rows {
		ld.add(&b.Rows[i])
	}
	if len(ld.rows) == 0 {
		return ld
	}
	ld.columns = slices.Clone(c.table.Key[:ld.keys()])
	for _, r := range ld.rows {
		for _, name := range r.Columns {
			if !slices.Contains(ld.columns, name) {
				ld.columns = append(ld.columns, name)
			}
		}
	}
	return ld
}

// makeChunk makes sure of an empty table for the load. That in use serves where
// it has the same columns.
func (c *Comparison) makeChunk(ctx context.Context, ld *load) error {
	columns := ""
	if len(ld.columns) > 0 {
		columns = ", " + ld.define(ld.columns)
	}
	sql := "TRUNCATE " + chunk
	if !c.chunked || columns != c.columns && len(ld.rows) > 0 {
		sql = "DROP TABLE IF EXISTS " + chunk + "; CREATE TEMPORARY TABLE sinkd_chunk (" +
			listColumn + " int4, " + offsetColumn + " int8" + columns + ")"
		c.columns, c.chunked = columns, true
	}
	_, err := c.conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// located writes the tuples of all rows as one COPY stream: each behind its
// list of columns and its record's offset, with NULL for the columns that its
// list lacks.
func (ld *load) located(b *sinkd.Batch, dst []byte) []byte {
	dst = append(dst, ld.rows[0].Buf[:headerSize]...)
	count := uint16(chunkFronts + len(ld.columns))
	var ends []int
	for n, r := range ld.rows {
		order := ld.order(r)
		for i, row := range r.Row {
			tuple := r.Buf[row.Start+2 : rowEnd(r, i)]
			dst = binary.BigEndian.AppendUint16(dst, count)
			dst = appendInt(dst, int32(n))
			dst = append(dst, 0, 0, 0, 8)
			dst = binary.BigEndian.AppendUint64(dst, uint64(b.Record(row).Offset))
			if order == nil {
				dst = append(dst, tuple...)
				continue
			}
			ends = fields(ends[:0], tuple)
			dst = spread(dst, tuple, ends, order)
		}
	}
	return append(dst, 0xff, 0xff)
}

// given is the condition that the chunk's row x has the column, empty where all
// of its rows have.
func (ld *load) given(column string) string {
	var lacking []string
	for n, r := range ld.rows {
		if !slices.Contains(r.Columns, column) {
			lacking = append(lacking, numberOf(n))
		}
	}
	if len(lacking) == 0 {
		return ""
	}
	return "x." + listColumn + " <> ALL ('{" + strings.Join(lacking, ",") + "}'::int4[])"
}
