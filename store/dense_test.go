package store

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sinkd/sinkd"
)

// counting gives n integers of so many bytes from the first on, that far apart.
func counting(size int, first int64, n int, step int64) [][]byte {
	keys := make([][]byte, n)
	for i := range keys {
		b := binary.BigEndian.AppendUint64(nil, uint64(first+int64(i)*step))
		keys[i] = b[8-size:]
	}
	return keys
}

func TestSpan(t *testing.T) {
	dense := counting(8, 1, fewRows, 1)
	for _, test := range []struct {
		name   string
		keys   [][]byte
		change func(*load)
		want   bool
	}{
		{name: "close together", keys: dense, want: true},
		{name: "as far apart as may be", keys: counting(8, math.MinInt64, fewRows, maxSparse), want: true},
		{name: "further apart", keys: counting(8, 1, fewRows, maxSparse+1)},
		{name: "all there are", keys: append(counting(8, math.MinInt64, fewRows, 1), counting(8, math.MaxInt64, 1, 1)...)},
		{name: "on both sides of 0", keys: counting(4, -100, fewRows, 1), want: true},
		{name: "smallint", keys: counting(2, -2, fewRows, 2), want: true},
		{name: "few", keys: dense[1:]},
		{name: "in another order", keys: append(slices.Clone(dense[500:]), dense[:500]...)},
		{name: "of another type", keys: dense, change: func(ld *load) { ld.table.Columns[1].Type = pgtype.TimestamptzOID }},
		{name: "staged as text", keys: dense, change: func(ld *load) { ld.text = map[string]bool{"k": true} }},
		{name: "part of the key", keys: dense, change: func(ld *load) { ld.table.Key = []string{"k", "a"} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			types := map[int]uint32{2: pgtype.Int2OID, 4: pgtype.Int4OID, 8: pgtype.Int8OID}
			r := &sinkd.Rows{Buf: []byte(sinkd.CopyHeader)}
			for _, k := range test.keys {
				r.Row = append(r.Row, sinkd.RowRef{Start: len(r.Buf)})
				r.Buf = binary.BigEndian.AppendUint32(append(r.Buf, 0, 2), uint32(len(k)))
				r.Buf = append(append(r.Buf, k...), 0xff, 0xff, 0xff, 0xff)
			}
			r.Buf = append(r.Buf, sinkd.CopyTrailer...)
			ld := &load{table: &sinkd.Table{Key: []string{"k"}, Columns: []sinkd.Column{{Name: "a"}, {Name: "k", Type: types[len(test.keys[0])]}}}}
			if test.change != nil {
				test.change(ld)
			}
			s := ld.span(r)
			if (s != nil) != test.want {
				t.Fatalf("span %v, want one: %t", s, test.want)
			}
			if s != nil && (!slices.Equal(s.first, test.keys[0]) || !slices.Equal(s.last, test.keys[len(test.keys)-1])) {
				t.Errorf("from %x to %x", s.first, s.last)
			}
		})
	}
}
