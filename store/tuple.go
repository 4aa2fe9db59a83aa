package store

import (
	"encoding/binary"
	"slices"

	"github.com/sinkd/sinkd"
)

// fronts is the number of fields that the store puts in front of a tuple in a
// shared stage: the row's range, its list of columns and its place in the log.
const fronts = 3

// stream writes the tuples of all rows as one COPY stream for a shared stage.
func (ld *load) stream(dst []byte) []byte {
	return ld.rewrite(dst, fronts, func(dst []byte, list int, row sinkd.RowRef) []byte {
		dst = appendInt(dst, row.Range)
		dst = appendInt(dst, int32(list))
		return appendInt(dst, ld.places[row.Range]+row.Index)
	})
}

// rewrite writes the tuples of all rows as one COPY stream: each behind as many
// fields as front appends, and with NULL for the columns that its list lacks.
func (ld *load) rewrite(dst []byte, fronts int, front func(dst []byte, list int, row sinkd.RowRef) []byte) []byte {
	dst = append(dst, sinkd.CopyHeader...)
	count := uint16(fronts + len(ld.columns))
	var ends []int
	for n, r := range ld.rows {
		order := ld.order(r)
		for i, row := range r.Row {
			tuple := r.Tuple(i)[2:]
			dst = front(binary.BigEndian.AppendUint16(dst, count), n, row)
			if order == nil {
				dst = append(dst, tuple...)
				continue
			}
			ends = fields(ends[:0], tuple)
			dst = spread(dst, tuple, ends, order)
		}
	}
	return append(dst, sinkd.CopyTrailer...)
}

// order tells for each of the stage's columns which field of the rows' tuples
// goes there, -1 = none; nil where the tuples are right as they are.
func (ld *load) order(r *sinkd.Rows) []int {
	if slices.Equal(r.Columns, ld.columns) {
		return nil
	}
	order := make([]int, len(ld.columns))
	for i, c := range ld.columns {
		order[i] = slices.Index(r.Columns, c)
	}
	return order
}

// fields appends where each field of a tuple ends.
func fields(ends []int, tuple []byte) []int {
	for at := 0; at < len(tuple); {
		size := int32(binary.BigEndian.Uint32(tuple[at:]))
		at += 4 + int(max(0, size))
		ends = append(ends, at)
	}
	return ends
}

// spread appends a tuple's fields in the given order.
func spread(dst, tuple []byte, ends, order []int) []byte {
	for _, field := range order {
		switch field {
		case -1:
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
		case 0:
			dst = append(dst, tuple[:ends[0]]...)
		default:
			dst = append(dst, tuple[ends[field-1]:ends[field]]...)
		}
	}
	return dst
}

func appendInt(dst []byte, n int32) []byte {
	dst = append(dst, 0, 0, 0, 4)
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}
