package sinkd_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sinkd/sinkd"
)

// drawRecord makes a record with parts that are null, empty, short and long.
func drawRecord(t *rapid.T, offset int64) *sinkd.Record {
	part := rapid.Custom(func(t *rapid.T) []byte {
		n := rapid.SampledFrom([]int{-1, 0, 1, 63, 64, 200, 9000}).Draw(t, "length")
		if n < 0 {
			return nil
		}
		return bytes.Repeat([]byte{byte(offset)}, n)
	})
	r := &sinkd.Record{
		Topic: "t", Partition: 3, Offset: offset, LeaderEpoch: int32(offset % 5),
		Key: part.Draw(t, "key"), Value: part.Draw(t, "value"),
	}
	if rapid.Bool().Draw(t, "timed") {
		r.Timestamp = time.UnixMilli(rapid.Int64Range(-1e14, 1e14).Draw(t, "millis"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "headers") {
		r.Headers = append(r.Headers, sinkd.Header{Key: part.Draw(t, "name"), Value: part.Draw(t, "text")})
	}
	return r
}

// same tells how records differ from those that they should be.
func same(t *rapid.T, what string, got sinkd.Records, want []*sinkd.Record) {
	t.Helper()
	if got.Len() != len(want) {
		t.Fatalf("%s: %d records, want %d", what, got.Len(), len(want))
	}
	sum := int64(0)
	for i, rec := range got.All() {
		if !equal(rec, want[i]) || !equal(got.At(i), want[i]) {
			t.Fatalf("%s: record %d is %+v and %+v, want %+v", what, i, rec, got.At(i), want[i])
		}
		if got.Offset(i) != want[i].Offset || got.Epoch(i) != want[i].LeaderEpoch || !got.Timestamp(i).Equal(want[i].Timestamp) ||
			got.Search(want[i].Offset) != i {
			t.Fatalf("%s: record %d is not told by itself", what, i)
		}
		one := got.Slice(i, i+1)
		if sum += one.Size(1); got.Size(i+1) != sum {
			t.Fatalf("%s: the first %d records have %d bytes, one by one %d", what, i+1, got.Size(i+1), sum)
		}
	}
}

// equal tells whether two records are the same, null and empty parts told apart.
func equal(a, b *sinkd.Record) bool {
	part := func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
	return a.Topic == b.Topic && a.Partition == b.Partition && a.Offset == b.Offset && a.LeaderEpoch == b.LeaderEpoch &&
		a.Timestamp.Equal(b.Timestamp) && part(a.Key, b.Key) && part(a.Value, b.Value) &&
		slices.EqualFunc(a.Headers, b.Headers, func(a, b sinkd.Header) bool { return part(a.Key, b.Key) && part(a.Value, b.Value) })
}

// Records that are cut and joined in any way are those of the log.
func TestRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all sinkd.Records
		var want []*sinkd.Record
		offset := int64(0)
		for range rapid.IntRange(0, 5).Draw(t, "chunks") {
			var chunk []*sinkd.Record
			for range rapid.IntRange(0, 4).Draw(t, "records") {
				chunk = append(chunk, drawRecord(t, offset))
				offset += int64(rapid.IntRange(1, 3).Draw(t, "gap"))
			}
			more := sinkd.RecordsOf(chunk...)
			if len(chunk) > 0 && rapid.Bool().Draw(t, "cut") {
				from := rapid.IntRange(0, len(chunk)).Draw(t, "from")
				until := rapid.IntRange(from, len(chunk)).Draw(t, "until")
				chunk, more = chunk[from:until], more.Slice(from, until)
			}
			if len(want) > 0 && rapid.Bool().Draw(t, "cut all") {
				until := rapid.IntRange(0, len(want)).Draw(t, "all until")
				from := rapid.IntRange(0, until).Draw(t, "all from")
				want, all = want[from:until], all.Slice(from, until)
			}
			before, had := all, slices.Clone(want)
			want = append(slices.Clip(want), chunk...)
			all.Append(more)
			same(t, "joined", all, want)
			same(t, "added", more, chunk)
			same(t, "what was there before", before, had)
			same(t, "compact", all.Compact(), want)
			if got := all.Held(all.Len()); got != before.Held(before.Len())+more.Held(more.Len()) {
				t.Fatalf("joined they hold %d bytes, before %d and %d", got, before.Held(before.Len()), more.Held(more.Len()))
			}
			from, until := time.UnixMilli(-1e13), time.UnixMilli(1e13)
			var first, last time.Time
			for _, r := range want {
				if at := r.Timestamp; !at.IsZero() && !at.Before(from) && !at.After(until) {
					if first.IsZero() || at.Before(first) {
						first = at
					}
					if last.IsZero() || at.After(last) {
						last = at
					}
				}
			}
			if f, l := all.Span(from, until); !f.Equal(first) || !l.Equal(last) {
				t.Fatalf("they are from %s to %s, want %s to %s", f, l, first, last)
			}
			n := rapid.IntRange(0, all.Len()).Draw(t, "n")
			head, rest := all.Slice(0, n), all.Slice(n, all.Len())
			if sum := head.Held(n) + rest.Held(rest.Len()); all.Held(n) != head.Held(n) || all.Held(all.Len()) != sum {
				t.Fatalf("the first %d hold %d and %d bytes, all %d, in two parts %d", n, all.Held(n), head.Held(n), all.Held(all.Len()), sum)
			}
		}
		if n := all.Search(offset); n != all.Len() {
			t.Fatalf("what comes after all is record %d of %d", n, all.Len())
		}
	})
}

// Bytes that a chunk takes for records can be read.
func FuzzChunk(f *testing.F) {
	f.Add([]byte("\x18\x00\x02\x02\x02k\x04vv\x02\x02h\x01"), 1)
	f.Add([]byte("\x0c\x00\x00\x00\x01\x01\x00\x0c\x00\x00\x02\x01\x01\x00"), 2)
	f.Add([]byte("\x1c\x00\x00\x00\x02k\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 1)
	f.Add([]byte("\x1e\x00\x00\x00\x01\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		n = min(max(n, 0), 1000)
		c := sinkd.NewChunk(sinkd.Partition{Topic: "t"}, slices.Clone(b), 1)
		whole := c.Add(sinkd.LogBatch{First: 5, From: 3, Epoch: 7, Count: n, End: len(b)})
		records := c.Records()
		if records.Len() > n || whole && n > 0 && len(b) < 7*n {
			t.Fatalf("%d records of %d in %d bytes", records.Len(), n, len(b))
		}
		for i, rec := range records.All() {
			again := sinkd.RecordsOf(rec).At(0)
			if rec.Offset < 3 || !equal(rec, again) {
				t.Fatalf("record %d is %+v, written and read again %+v", i, rec, again)
			}
		}
	})
}
