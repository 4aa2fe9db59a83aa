package sinkd

import (
	"encoding/binary"
	"math"
	"time"
	"unsafe"
)

// Chunk is a piece of the log of one partition, as one fetch brought it: data
// records whose bytes lie in one buffer, in the form of Kafka's record format 2
// from the length of their key on.
// https://kafka.apache.org/documentation/#record
type Chunk struct {
	Partition
	buf  []byte
	refs []ref
	// held is the memory that goes with the last record, 0 where this is a part of
	// a chunk without it.
	held int64
}

// ref tells where a record of a chunk is, and what its bytes do not say. It has
// no pointers.
type ref struct {
	offset, millis int64
	// start is where the record's bytes begin in the buffer, size their number,
	// sum that of all records up to this one.
	start, size, sum uint32
	epoch            int32
}

// RefSize is how many bytes of memory a chunk has for a record beside its own.
const RefSize = int64(unsafe.Sizeof(ref{}))

// timeless stands for the timestamp of a record that has none.
const timeless = math.MinInt64

func (r *ref) time() time.Time {
	if r.millis == timeless {
		return time.Time{}
	}
	return time.UnixMilli(r.millis)
}

// LogBatch is a batch of records as its header tells of it, and where in the
// chunk's buffer its records are, decompressed.
type LogBatch struct {
	// First is the offset that those of the records are counted from; records
	// below From are left out.
	First, From int64
	// Millis is the timestamp that those of the records are counted from, or, where
	// Stamped, that of each of them.
	Millis  int64
	Stamped bool
	// Epoch is the leader epoch.
	Epoch int32
	// Count is how many records there are in buf[Start:End].
	Count, Start, End int
}

// NewChunk makes a chunk of the partition whose records are, or will be, in buf;
// n is how many there may be. From then on the buffer is the chunk's.
func NewChunk(p Partition, buf []byte, n int) *Chunk {
	return &Chunk{Partition: p, buf: buf, refs: make([]ref, 0, n)}
}

// Add adds the records of the next batch. It answers false, and adds none, where
// not all of the bytes are records.
func (c *Chunk) Add(batch LogBatch) bool {
	had := len(c.refs)
	if !c.add(batch) {
		c.refs = c.refs[:had]
		return false
	}
	return true
}

func (c *Chunk) add(batch LogBatch) bool {
	b := c.buf[:batch.End]
	r := ref{millis: batch.Millis, epoch: batch.Epoch}
	if n := len(c.refs); n > 0 {
		r.sum = c.refs[n-1].sum
	}
	for i := batch.Start; batch.Count > 0; batch.Count-- {
		length, at := varint(b, i)
		i = at + length
		if length < 1 || uint(i) > uint(len(b)) {
			return false
		}
		millis, at := varint(b, at+1) // behind the attributes, which say nothing
		delta, at := varint(b, at)
		if end := behind(b, at); end > i {
			return false
		}
		if r.offset = batch.First + int64(delta); r.offset < batch.From {
			continue
		}
		if !batch.Stamped {
			r.millis = batch.Millis + int64(millis)
		}
		r.start, r.size = uint32(at), uint32(i-at)
		r.sum += r.size
		c.refs = append(c.refs, r)
	}
	return true
}

// behind gives the index behind the parts of a record that begin at i: its key,
// its value and its headers; beyond the buffer's end where they are none.
func behind(b []byte, i int) int {
	i = over(b, over(b, i))
	headers, i := varint(b, i)
	if headers < 0 {
		return len(b) + 1
	}
	for ; headers > 0 && i <= len(b); headers-- {
		i = over(b, over(b, i))
	}
	return i
}

// copy adds records [from, until) of another chunk.
func (c *Chunk) copy(other *Chunk, from, until int) {
	for _, r := range other.refs[from:until] {
		b := other.buf[r.start : r.start+r.size]
		r.start, r.sum = uint32(len(c.buf)), r.size
		if n := len(c.refs); n > 0 {
			r.sum += c.refs[n-1].sum
		}
		c.buf, c.refs = append(c.buf, b...), append(c.refs, r)
	}
}

// Records gives the chunk's records. None may be added after that.
func (c *Chunk) Records() Records {
	if len(c.refs) == 0 {
		return Records{}
	}
	c.held = int64(cap(c.buf)) + int64(cap(c.refs))*RefSize
	return Records{runs: []run{{c, len(c.refs)}}, n: len(c.refs)}
}

// size counts the bytes of records [from, until).
func (c *Chunk) size(from, until int) int64 {
	if from == until {
		return 0
	}
	first := &c.refs[from]
	return int64(c.refs[until-1].sum - first.sum + first.size)
}

// only is the chunk with records [from, until) only.
func (c *Chunk) only(from, until int) *Chunk {
	part := &Chunk{Partition: c.Partition, buf: c.buf, refs: c.refs[from:until:until]}
	if until == len(c.refs) {
		part.held = c.held
	}
	return part
}

// read fills rec with record n, all but topic and partition.
func (c *Chunk) read(n int, rec *Record) {
	r := &c.refs[n]
	rec.Offset, rec.LeaderEpoch, rec.Timestamp = r.offset, r.epoch, r.time()
	b := c.buf[r.start : r.start+r.size]
	var i int
	rec.Key, i = part(b, 0)
	rec.Value, i = part(b, i)
	rec.Headers = rec.Headers[:0]
	headers, i := varint(b, i)
	for range headers {
		var h Header
		h.Key, i = part(b, i)
		h.Value, i = part(b, i)
		rec.Headers = append(rec.Headers, h)
	}
}

// write adds a record that is there by itself.
func (c *Chunk) write(rec *Record) {
	r := ref{offset: rec.Offset, millis: timeless, epoch: rec.LeaderEpoch, start: uint32(len(c.buf))}
	if !rec.Timestamp.IsZero() {
		r.millis = rec.Timestamp.UnixMilli()
	}
	c.buf = appendPart(appendPart(c.buf, rec.Key), rec.Value)
	c.buf = binary.AppendVarint(c.buf, int64(len(rec.Headers)))
	for i := range rec.Headers {
		c.buf = appendPart(appendPart(c.buf, rec.Headers[i].Key), rec.Headers[i].Value)
	}
	r.size = uint32(len(c.buf)) - r.start
	r.sum = r.size
	if n := len(c.refs); n > 0 {
		r.sum += c.refs[n-1].sum
	}
	c.refs = append(c.refs, r)
}

// The parts of a record are a length and so many bytes; the length of what is
// null is negative. Lengths and numbers are varints in zigzag encoding, as those
// of encoding/binary.

func appendPart(dst, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(dst, -1)
	}
	return append(binary.AppendVarint(dst, int64(len(b))), b...)
}

// part reads the part that begins at i, and gives the index behind it.
func part(b []byte, i int) ([]byte, int) {
	n, i := varint(b, i)
	if n < 0 {
		return nil, i
	}
	return b[i : i+n : i+n], i + n
}

// over gives the index behind the part that begins at i; beyond the buffer's end
// where it is none.
func over(b []byte, i int) int {
	n, i := varint(b, i)
	if n <= 0 {
		return i
	}
	if n > len(b)-i {
		return len(b) + 1
	}
	return i + n
}

// varint reads the number that begins at i, and gives the index behind it; beyond
// the buffer's end where it is none.
func varint(b []byte, i int) (n, next int) {
	if uint(i) < uint(len(b)) && b[i] < 0x80 {
		return int(b[i]>>1) ^ -int(b[i]&1), i + 1
	}
	return longVarint(b, i)
}

func longVarint(b []byte, i int) (n, next int) {
	if i+1 < len(b) && b[i+1] < 0x80 { // of nearly all that are not in one byte
		x := int(b[i]&0x7f) | int(b[i+1])<<7
		return x>>1 ^ -(x & 1), i + 2
	}
	if i >= len(b) {
		return 0, len(b) + 1
	}
	x, size := binary.Varint(b[i:])
	if size <= 0 {
		return 0, len(b) + 1
	}
	return int(x), i + size
}
