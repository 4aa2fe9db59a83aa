package sinkd_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sinkd/sinkd"
)

// drawBatch makes a batch of up to four partitions with gaps between offsets.
func drawBatch(t *rapid.T) *sinkd.Batch {
	b := new(sinkd.Batch)
	for id := range rapid.IntRange(1, 4).Draw(t, "partitions") {
		from := int64(rapid.IntRange(0, 5).Draw(t, "from"))
		r := sinkd.Range{
			Claim: &sinkd.Claim{Partition: sinkd.Partition{Topic: "t", ID: int32(id)}}, From: from,
		}
		at := from
		for range rapid.IntRange(0, 6).Draw(t, "records") {
			at += int64(rapid.IntRange(0, 2).Draw(t, "gap"))
			r.Records.Append(sinkd.RecordsOf(&sinkd.Record{Topic: "t", Partition: int32(id), Offset: at}))
			at++
		}
		r.Until = at + int64(rapid.IntRange(0, 3).Draw(t, "markers"))
		b.Ranges = append(b.Ranges, r)
	}
	return b
}

// place is what tells records apart.
type place struct {
	partition int32
	offset    int64
}

// A record that is buried leaves the rows of the others as they were.
func TestBury(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBatch(t)
		rows := sinkd.Rows{Buf: []byte("header")}
		want := map[place]string{}
		for i, r := range b.Ranges {
			b.Ranges[i].Count.Rows = r.Records.Len()
			for n, rec := range r.Records.All() {
				rows.Row = append(rows.Row, sinkd.RowRef{Start: len(rows.Buf), Range: int32(i), Index: int32(n)})
				at := place{rec.Partition, rec.Offset}
				want[at] = strings.Repeat(string(rune('a'+len(want))), rapid.IntRange(1, 5).Draw(t, "length"))
				rows.Buf = append(rows.Buf, want[at]...)
			}
		}
		rows.Buf = append(rows.Buf, "\xff\xff"...)
		b.Rows = []sinkd.Rows{{}, rows}
		for range 2 {
			letters, size := []sinkd.DeadLetter{{Record: &sinkd.Record{}}}, 0
			for at, row := range want {
				if rapid.Bool().Draw(t, "bury") {
					rec := &sinkd.Record{Topic: "t", Partition: at.partition, Offset: at.offset}
					letters, size = append(letters, sinkd.DeadLetter{Record: rec}), size+len(row)
					delete(want, at)
				}
			}
			if n := b.Bury(letters...); n != size {
				t.Fatalf("%d bytes are gone, want %d", n, size)
			}
		}
		if b.Bury(sinkd.DeadLetter{Record: &sinkd.Record{}}) != 0 {
			t.Error("a record without a row was buried")
		}
		text := "header"
		for _, ref := range b.Rows[1].Row {
			if ref.Start != len(text) {
				t.Fatalf("a row begins at %d, want %d", ref.Start, len(text))
			}
			rec := b.Record(ref)
			text += want[place{rec.Partition, rec.Offset}]
		}
		if got := string(b.Rows[1].Buf); got != text+"\xff\xff" || len(b.Rows[1].Row) != len(want) {
			t.Fatalf("%q is left, want %q", got, text)
		}
		rest, dead := 0, 0
		for _, r := range b.Ranges {
			rest, dead = rest+r.Count.Rows, dead+r.Count.Dead
		}
		if rest != len(want) || dead != len(b.Dead) || rest+dead != b.Records() {
			t.Fatalf("%d rows and %d dead are counted", rest, dead)
		}
	})
}

// drain splits the parts of a batch until nothing can be split, in the order in
// which a lane lands them.
func drain(t *rapid.T, b *sinkd.Batch, at *sinkd.Record) []*sinkd.Batch {
	parts := b.Split(at)
	if parts == nil {
		return []*sinkd.Batch{b}
	}
	var out []*sinkd.Batch
	for _, p := range parts {
		if p.Records() >= b.Records() && len(p.Ranges) >= len(b.Ranges) {
			t.Fatalf("a part is as large as the whole: %d records", p.Records())
		}
		out = append(out, drain(t, p, at)...)
	}
	return out
}

func TestSplitKeepsRangesContiguous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBatch(t)
		var at *sinkd.Record
		if n := b.Records(); n > 0 && rapid.Bool().Draw(t, "hint") {
			k := rapid.IntRange(0, n-1).Draw(t, "record")
			for _, r := range b.Ranges {
				if k < r.Records.Len() && k >= 0 {
					at = r.Records.At(k)
				}
				k -= r.Records.Len()
			}
		}
		next := make(map[int32]int64)
		offsets := make(map[int32][]int64)
		for _, r := range b.Ranges {
			next[r.Claim.ID] = r.From
		}
		for _, part := range drain(t, b, at) {
			if part.Records() > 1 {
				t.Fatalf("a part of %d records was left whole", part.Records())
			}
			for _, r := range part.Ranges {
				if r.From != next[r.Claim.ID] || r.Until < r.From {
					t.Fatalf("%s: range [%d,%d) after %d", r.Claim, r.From, r.Until, next[r.Claim.ID])
				}
				next[r.Claim.ID] = r.Until
				for _, rec := range r.Records.All() {
					if rec.Offset < r.From || rec.Offset >= r.Until {
						t.Fatalf("record %d outside of [%d,%d)", rec.Offset, r.From, r.Until)
					}
					offsets[r.Claim.ID] = append(offsets[r.Claim.ID], rec.Offset)
				}
			}
		}
		for _, r := range b.Ranges {
			if next[r.Claim.ID] != r.Until || len(offsets[r.Claim.ID]) != r.Records.Len() {
				t.Fatalf("%s: ends at %d with %d records, want %d with %d",
					r.Claim, next[r.Claim.ID], len(offsets[r.Claim.ID]), r.Until, r.Records.Len())
			}
			for i, rec := range r.Records.All() {
				if offsets[r.Claim.ID][i] != rec.Offset {
					t.Fatalf("%s: record %d out of order", r.Claim, rec.Offset)
				}
			}
		}
	})
}

func TestSplitIsolatesTheNamedRecord(t *testing.T) {
	claim := &sinkd.Claim{Partition: sinkd.Partition{Topic: "t"}}
	var recs []*sinkd.Record
	for i := range int64(100) {
		recs = append(recs, &sinkd.Record{Topic: "t", Offset: i})
	}
	b := &sinkd.Batch{Ranges: []sinkd.Range{{Claim: claim, Until: 100, Records: sinkd.RecordsOf(recs...)}}}
	parts := b.Split(recs[40])
	if len(parts) != 3 {
		t.Fatalf("%d parts, want 3", len(parts))
	}
	if one := parts[1].Ranges[0]; one.From != 40 || one.Until != 41 || one.Records.Len() != 1 {
		t.Errorf("the named record stands in [%d,%d)", one.From, one.Until)
	}
}

func TestWithout(t *testing.T) {
	a, b := &sinkd.Claim{}, &sinkd.Claim{}
	batch := &sinkd.Batch{Ranges: []sinkd.Range{{Claim: a}, {Claim: b}}, Rows: []sinkd.Rows{{}}}
	if got := batch.Without(func(*sinkd.Claim) bool { return false }); got != batch {
		t.Error("nothing lost: want the batch itself")
	}
	if got := batch.Without(func(*sinkd.Claim) bool { return true }); got != nil {
		t.Error("all lost: want nil")
	}
	got := batch.Without(func(c *sinkd.Claim) bool { return c == a })
	if len(got.Ranges) != 1 || got.Ranges[0].Claim != b || got.Rows != nil {
		t.Errorf("one lost: got %d ranges, %d rows", len(got.Ranges), len(got.Rows))
	}
}
