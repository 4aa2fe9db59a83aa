package store

import (
	"context"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/sinkd/sinkd"
)

// chunk is the temporary table that has the rows of one range, as the records
// would have them, behind their list of columns and their offset, and where keys
// are there more than once, behind the number of the row among those of its key.
const (
	chunk        = "pg_temp.sinkd_chunk"
	offsetColumn = `"sinkd:offset"`
	roundColumn  = `"sinkd:round"`
	chunkFronts  = 2
)

// load loads the encoded rows of a range into the chunk's table.
func (c *Comparison) load(ctx context.Context, b *sinkd.Batch, ld *load) error {
	if len(ld.rows) == 0 {
		return nil
	}
	c.spare = ld.located(b, c.spare[:0])
	columns := listColumn + ", " + offsetColumn + ", " + names(ld.columns, "")
	err := copyFrom(ctx, c.conn.PgConn(), c.spare, copySQL(chunk, columns))
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

// makeChunk makes sure of an empty table that has the load's columns. It is
// emptied in the transaction that made it, outside of any savepoint, so that it
// keeps its file: what is dropped keeps its room until the end.
func (c *Comparison) makeChunk(ctx context.Context, ld *load) error {
	fits := c.chunk != nil
	for _, column := range ld.columns {
		fits = fits && c.chunk[column] == ld.define([]string{column})
	}
	if fits {
		_, err := c.conn.Exec(ctx, "TRUNCATE "+chunk)
		return err
	}
	if c.chunk == nil {
		c.chunk = make(map[string]string)
	}
	for _, column := range ld.columns {
		c.chunk[column] = ld.define([]string{column})
	}
	columns := []string{listColumn + " int4", offsetColumn + " int8", roundColumn + " int4"}
	for _, definition := range c.chunk {
		columns = append(columns, definition)
	}
	_, err := c.conn.PgConn().Exec(ctx, "DROP TABLE IF EXISTS "+chunk+"; CREATE TEMPORARY TABLE sinkd_chunk ("+strings.Join(columns, ", ")+
		"); CREATE INDEX ON "+chunk+" ("+roundColumn+") WHERE "+roundColumn+" IS NOT NULL").ReadAll()
	return err
}

// located writes the tuples of all rows as one COPY stream: each behind its
// list of columns and its record's offset.
func (ld *load) located(b *sinkd.Batch, dst []byte) []byte {
	return ld.rewrite(dst, chunkFronts, func(dst []byte, list int, row sinkd.RowRef) []byte {
		dst = append(appendInt(dst, int32(list)), 0, 0, 0, 8)
		return binary.BigEndian.AppendUint64(dst, uint64(b.Record(row).Offset))
	})
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
