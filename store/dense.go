package store

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sinkd/sinkd"
)

const (
	// fewRows is how many rows a sweep along the key's index is not worth its
	// plan for.
	fewRows = 1000
	// maxSparse is how many keys there may be for each row, from the first row's
	// to the last one's: the sweep reads those between as well.
	maxSparse = 4
)

// span is the keys of rows from the first to the last, in their binary form.
type span struct{ first, last sent }

// sent is a parameter that is sent as it is.
type sent []byte

// sweeps are the settings for a MERGE that goes along the key's index and the
// sorted rows side by side, from the first key to the last. That finds neighbours
// for less than a look-up of each row, and the keys themselves bound what it
// reads, whatever the planner believes of the table. The rows are sorted in
// memory that their batch bounds.
var sweeps = []setting{
	{"enable_seqscan", "off"}, {"enable_bitmapscan", "off"}, {"enable_hashjoin", "off"}, {"enable_nestloop", "off"}, {"work_mem", "'64MB'"},
}

// span gives the keys of a list's rows where they are integers that lie close
// together, nil where they are not. The rows of a load that folds are sorted by
// key; were some beyond the span, they would be taken for new ones, and refused
// where they are not.
func (ld *load) span(r *sinkd.Rows) *span {
	if len(ld.table.Key) != 1 || len(r.Row) < fewRows || ld.text[ld.table.Key[0]] {
		return nil
	}
	at := slices.IndexFunc(ld.table.Columns, func(c sinkd.Column) bool { return c.Name == ld.table.Key[0] })
	switch ld.table.Columns[at].Type {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
	default:
		return nil
	}
	s := &span{first: keyOf(r.Tuple(0)), last: keyOf(r.Tuple(len(r.Row) - 1))}
	// Unsigned, so that no distance is too large for it.
	if distance := uint64(integer(s.last)) - uint64(integer(s.first)); distance/maxSparse >= uint64(len(r.Row)) {
		return nil
	}
	return s
}

// keyOf gives the first field of a tuple.
func keyOf(tuple []byte) sent {
	const head = 2 + 4 // the number of fields, and the length of the first
	return tuple[head : head+binary.BigEndian.Uint32(tuple[2:])]
}

// integer reads a smallint, integer or bigint.
func integer(b []byte) int64 {
	switch len(b) {
	case 2:
		return int64(int16(binary.BigEndian.Uint16(b)))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b)))
	}
	return int64(binary.BigEndian.Uint64(b))
}

// sweepSQL merges the rows of a list into the keys from $2 to $3.
func (ld *load) sweepSQL(li list) string {
	key := quote(ld.table.Key[0])
	return ld.mergeSQL(li, "(SELECT * FROM "+li.stage.name+" AS s ORDER BY s."+key+")", ld.matches()+" AND t."+key+" >= $2 AND t."+key+" <= $3")
}
