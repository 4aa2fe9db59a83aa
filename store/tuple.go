package store

import (
	"encoding/binary"
	"slices"

	"github.com/sinkd/sinkd"
)

const (
	// headerSize is the length of what begins a binary COPY stream, trailerSize
	// of what ends it.
	headerSize, trailerSize = 19, 2
	// fronts is the number of fields that the store puts in front of a tuple:
	// the row's range, its list of columns and its place in the log.
	fronts = 3
)

// stream writes the tuples of all rows as one COPY stream for a shared stage:
// each with the store's own fields in front, and NULL for the columns that its
// list lacks.
func (ld *load) stream(dst []byte) []byte {
	dst = append(dst, ld.rows[0].Buf[:headerSize]...)
	count := uint16(fronts + len(ld.columns))
	var ends []int
	for n, r := range ld.rows {
		order := ld.order(r)
		for i, row := range r.Row {
			tuple := r.Buf[row.Start+2 : rowEnd(r, i)]
			dst = binary.BigEndian.AppendUint16(dst, count)
			dst = appendInt(dst, row.Range)
			dst = appendInt(dst, int32(n))
			dst = appendInt(dst, ld.places[row.Range]+row.Index)
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

// rowEnd is the index of the first byte behind row i.
func rowEnd(r *sinkd.Rows, i int) int {
	if i+1 < len(r.Row) {
		return r.Row[i+1].Start
	}
	return len(r.Buf) - trailerSize
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
