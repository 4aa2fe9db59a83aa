package sinkd

import (
	"fmt"
	"testing"
)

// What comes in many small chunks is kept in few; who had some of it before has
// what he had.
func TestManySmallChunksBecomeOne(t *testing.T) {
	const n = 1000
	var all Records
	var parts []Records
	for i := range n {
		rec := &Record{Topic: "t", Offset: int64(i), Value: fmt.Append(nil, i)}
		all.Append(RecordsOf(rec))
		if i%10 == 0 {
			parts = append(parts, all.Slice(i/2, i+1))
		}
	}
	if k := len(all.runs); k > n/smallChunk+manyChunks {
		t.Errorf("%d chunks", k)
	}
	for k, part := range append(parts, all) {
		for i, rec := range part.All() {
			want := int64(k*10/2 + i)
			if k == len(parts) {
				want = int64(i)
			}
			if rec.Offset != want || string(rec.Value) != fmt.Sprint(want) {
				t.Fatalf("record %d of part %d is %d: %s", i, k, rec.Offset, rec.Value)
			}
		}
	}
}
