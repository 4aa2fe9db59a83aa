package sinkd

import (
	"fmt"
	"testing"
)

// What comes in many small chunks is kept in few, which hold what those did; who
// had some of it before has what he had.
func TestManySmallChunksBecomeOne(t *testing.T) {
	const n = 1000
	var held int64
	var all Records
	var parts []Records
	for i := range n {
		rec := &Record{Topic: "t", Offset: int64(i), Value: fmt.Append(nil, i)}
		one := RecordsOf(rec)
		held += one.Held(1)
		all.Append(one)
		if i%10 == 0 {
			parts = append(parts, all.Slice(i/2, i+1))
		}
	}
	if k := len(all.runs); k > n/smallChunk+manyChunks {
		t.Errorf("%d chunks", k)
	}
	if got := all.Held(n); got != held {
		t.Errorf("they hold %d bytes, want %d", got, held)
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

// Records that are large are left where they are, however few a chunk has.
func TestLargeChunksAreLeft(t *testing.T) {
	value := make([]byte, smallBytes)
	var all Records
	for i := range 2 * manyChunks {
		all.Append(RecordsOf(&Record{Topic: "t", Offset: int64(i), Value: value}))
	}
	if len(all.runs) != 2*manyChunks {
		t.Errorf("%d chunks of %d are left", len(all.runs), 2*manyChunks)
	}
}

// Records that were cut from a chunk keep the whole of it, until they are
// compact.
func TestCompactLetsGo(t *testing.T) {
	var records []*Record
	for i := range 1000 {
		records = append(records, &Record{Topic: "t", Offset: int64(i), Value: make([]byte, 1000)})
	}
	all := RecordsOf(records...)
	if last := all.Slice(999, 1000); last.Held(1) != all.Held(1000) || all.Held(999) != 0 {
		t.Errorf("the last holds %d bytes, all %d, those before it %d", last.Held(1), all.Held(1000), all.Held(999))
	}
	few := all.Slice(0, 10).Compact()
	if held := few.Held(10); held < 10*1000 || held > 12*1000 {
		t.Errorf("10 of 1000 bytes each hold %d", held)
	}
}
