package sinkd

import (
	"iter"
	"math"
	"slices"
	"sort"
	"time"
)

// Records are data records of one partition, in the order of their offsets. They
// are kept as they lie in the log, one beside the other, and are looked at one
// at a time: there may be hundreds of thousands, of which the garbage collector
// need not look at any. The zero value holds none.
type Records struct {
	runs []run
	// skip counts the records of the first run that come before the first.
	skip, n int
}

// run are the records of a chunk; end counts them and those of the runs before.
type run struct {
	*Chunk
	end int
}

// RecordsOf gives records that are there one by one, and are all of one
// partition.
func RecordsOf(records ...*Record) Records {
	if len(records) == 0 {
		return Records{}
	}
	c := NewChunk(Partition{records[0].Topic, records[0].Partition}, nil, len(records))
	for _, r := range records {
		c.write(r)
	}
	return c.Records()
}

// Len counts the records.
func (r Records) Len() int { return r.n }

// find gives the chunk of record i, and its number there.
func (r Records) find(i int) (*Chunk, int) {
	at := r.skip + i
	n := 0
	if len(r.runs) > 1 {
		n = sort.Search(len(r.runs), func(n int) bool { return r.runs[n].end > at })
	}
	run := r.runs[n]
	return run.Chunk, len(run.refs) - (run.end - at)
}

// At gives record i.
func (r Records) At(i int) *Record {
	c, n := r.find(i)
	rec := &Record{Topic: c.Topic, Partition: c.ID}
	c.read(n, rec)
	rec.Headers = slices.Clip(rec.Headers)
	return rec
}

// Offset gives the offset of record i.
func (r Records) Offset(i int) int64 {
	c, n := r.find(i)
	return c.refs[n].offset
}

// Timestamp gives the timestamp of record i.
func (r Records) Timestamp(i int) time.Time {
	c, n := r.find(i)
	return c.refs[n].time()
}

// Span gives the earliest and the latest timestamp of all that are not before from
// and not after until; zero where there is none.
func (r Records) Span(from, until time.Time) (earliest, latest time.Time) {
	low, high := from.UnixMilli(), until.UnixMilli()
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	left, n := r.n, r.skip
	for _, run := range r.runs {
		refs := run.refs[n:min(len(run.refs), n+left)]
		for i := range refs {
			if millis := refs[i].millis; low <= millis && millis <= high {
				first, last = min(first, millis), max(last, millis)
			}
		}
		left -= len(refs)
		n = 0
	}
	if first > last {
		return time.Time{}, time.Time{}
	}
	return time.UnixMilli(first), time.UnixMilli(last)
}

// Epoch gives the leader epoch of record i, -1 if unknown.
func (r Records) Epoch(i int) int32 {
	c, n := r.find(i)
	return c.refs[n].epoch
}

// Search gives the number of the first record whose offset is not below the one
// given, Len if there is none.
func (r Records) Search(offset int64) int {
	return sort.Search(r.n, func(i int) bool { return r.Offset(i) >= offset })
}

// All gives the records in order, with their numbers. Each is valid until the
// next, apart from its key and value.
func (r Records) All() iter.Seq2[int, *Record] {
	return func(yield func(int, *Record) bool) {
		var rec Record
		for i := range r.Each(&rec) {
			if !yield(i, &rec) {
				return
			}
		}
	}
}

// Each fills rec with the records in order, and gives their numbers: it is All,
// in memory of the caller's.
func (r Records) Each(rec *Record) iter.Seq[int] {
	return func(yield func(int) bool) {
		i, n := 0, r.skip
		for _, run := range r.runs {
			rec.Topic, rec.Partition = run.Topic, run.ID
			for ; n < len(run.refs) && i < r.n; n++ {
				run.read(n, rec)
				if !yield(i) {
					return
				}
				i++
			}
			n = 0
		}
	}
}

// Size gives how many bytes the first n records have: keys, values and headers,
// and what tells their lengths.
func (r Records) Size(n int) int64 {
	var size int64
	from := r.skip
	for _, run := range r.runs {
		until := min(len(run.refs), from+n)
		size += run.size(from, until)
		if n -= until - from; n == 0 {
			break
		}
		from = 0
	}
	return size
}

// Held gives how many bytes of memory can be used otherwise once the first n
// records are no longer needed. The memory of a chunk goes with its last record.
func (r Records) Held(n int) int64 {
	var held int64
	for _, run := range r.runs {
		if run.end > r.skip+n {
			break
		}
		held += run.held
	}
	return held
}

// Compact gives the records in memory of their own.
func (r Records) Compact() Records {
	if r.n == 0 {
		return Records{}
	}
	c := NewChunk(r.runs[0].Partition, make([]byte, 0, r.Size(r.n)), r.n)
	from := r.skip
	for _, run := range r.runs {
		c.copy(run.Chunk, from, min(len(run.refs), from+r.n-len(c.refs)))
		from = 0
	}
	return c.Records()
}

// Slice gives the records from i on, and before j.
func (r Records) Slice(i, j int) Records {
	if i == j {
		return Records{}
	}
	i, j = r.skip+i, r.skip+j
	first := sort.Search(len(r.runs), func(n int) bool { return r.runs[n].end > i })
	last := first + sort.Search(len(r.runs)-first, func(n int) bool { return r.runs[first+n].end >= j })
	// A copy: what is before it, and no longer needed, can go.
	out := Records{runs: slices.Clone(r.runs[first : last+1]), n: j - i}
	before := 0
	if first > 0 {
		before = r.runs[first-1].end
	}
	for k := range out.runs {
		out.runs[k].end -= before
	}
	out.skip = i - before
	return out
}

// Append adds records that follow. Of copies of r, one only may be added to.
func (r *Records) Append(more Records) {
	if r.n == 0 {
		*r = more
		return
	}
	if more.n == 0 {
		return
	}
	r.trim()
	end := r.runs[len(r.runs)-1].end
	for k, run := range more.runs {
		if k == 0 && more.skip > 0 {
			run.Chunk = run.only(more.skip, len(run.refs))
		}
		end += len(run.refs)
		run.end = end
		r.runs = append(r.runs, run)
	}
	r.n += more.n
	r.join()
}

// What comes in many small chunks costs more than its bytes, so every so many of
// them in a row are made one.
const (
	manyChunks = 64
	smallChunk = 64 // records
	smallBytes = 16 << 10
)

// small tells that the chunk is one of those.
func (c *Chunk) small() bool {
	return len(c.refs) < smallChunk && c.size(0, len(c.refs)) < smallBytes
}

// join makes one chunk of the last ones, where they are many small ones.
func (r *Records) join() {
	from := len(r.runs) - manyChunks
	if from < 1 || slices.ContainsFunc(r.runs[from:], func(run run) bool { return !run.small() }) {
		return
	}
	before := r.runs[from-1].end - r.skip
	many := r.Slice(before, r.n)
	joined := many.Compact().runs[0]
	joined.held = many.Held(many.n) // it counts as they did
	joined.end = r.skip + r.n
	r.runs = append(slices.Clip(r.runs[:from]), joined) // a copy may have the others
}

// trim cuts what lies in the last run behind the last record.
func (r *Records) trim() {
	last := &r.runs[len(r.runs)-1]
	if over := last.end - r.skip - r.n; over > 0 {
		last.Chunk = last.only(0, len(last.refs)-over)
		last.end -= over
	}
}
