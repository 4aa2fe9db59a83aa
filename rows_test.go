package sinkd_test

import (
	"slices"
	"testing"

	"github.com/sinkd/sinkd"
)

func TestPart(t *testing.T) {
	rows := &sinkd.Rows{Buf: []byte(sinkd.CopyHeader), Repeated: []int32{1, 3}}
	for n, tuple := range []string{"a", "bb", "ccc", "dddd"} {
		rows.Row = append(rows.Row, sinkd.RowRef{Start: len(rows.Buf), Index: int32(n)})
		rows.Buf = append(rows.Buf, tuple...)
	}
	rows.Buf = append(rows.Buf, sinkd.CopyTrailer...)
	before := string(rows.Buf)
	repeated, others := rows.Part(nil)
	for _, c := range []struct {
		rows   *sinkd.Rows
		tuples []string
		index  []int32
	}{
		{repeated, []string{"bb", "dddd"}, []int32{1, 3}},
		{others, []string{"a", "ccc"}, []int32{0, 2}},
		{rows, []string{"a", "bb", "ccc", "dddd"}, []int32{0, 1, 2, 3}},
	} {
		var tuples []string
		var index []int32
		whole := sinkd.CopyHeader
		for n, row := range c.rows.Row {
			tuples, index = append(tuples, string(c.rows.Tuple(n))), append(index, row.Index)
			whole += tuples[n]
		}
		if !slices.Equal(tuples, c.tuples) || !slices.Equal(index, c.index) || string(c.rows.Buf) != whole+sinkd.CopyTrailer {
			t.Errorf("%q of records %d in %q, want %q of %d", tuples, index, c.rows.Buf, c.tuples, c.index)
		}
	}
	if string(rows.Buf) != before {
		t.Errorf("the rows themselves have become %q", rows.Buf)
	}
}
