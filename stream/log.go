package stream

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
)

// piece is what one fetch brought of the log of a partition.
type piece struct {
	records sinkd.Records
	// next is the offset behind all that was read, also where that were markers,
	// records of aborted transactions, or batches that compaction emptied: below it
	// there is nothing but the records.
	next int64
	// epoch is the leader epoch of the last batch, -1 if there was none.
	epoch int32
	// stable is the last stable offset; the high watermark where transactions are
	// not looked at.
	stable int64
	// raw is how many bytes the records had, inflated how many they have
	// decompressed.
	raw, inflated int64
}

// logReader makes records of what brokers answer to fetches: batches of Kafka's
// record format 2; older formats are left to the client.
// https://kafka.apache.org/documentation/#recordbatch
type logReader struct {
	isolation    kgo.IsolationLevel
	committed    bool
	decompressor kgo.Decompressor
	scratch      *scratch
}

func newLogReader(k *Kafka) *logReader {
	s := new(scratch)
	return &logReader{isolation: k.isolation(), committed: !k.ReadUncommitted, decompressor: kgo.DefaultDecompressor(s), scratch: s}
}

// scratch lends the decompressor memory, which gets it back when the batch was
// copied to its chunk.
type scratch struct{ pool sync.Pool }

// GetDecompressBytes gives memory, or none: then the decompressor takes its own.
func (s *scratch) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte {
	b, _ := s.pool.Get().(*[]byte)
	if b == nil {
		return nil
	}
	return *b
}

// PutDecompressBytes keeps memory of a moderate size.
func (s *scratch) PutDecompressBytes(b []byte) {
	if cap(b) <= largeScratch {
		s.pool.Put(&b)
	}
}

// largeScratch is the largest memory that scratch keeps.
const largeScratch = 4 << 20

// errCorrupt is a batch that is not what its writer wrote, or none at all.
var errCorrupt = errors.New("corrupt batch")

// section is one batch, and where its records are: in the answer, then in the
// chunk's buffer.
type section struct {
	kmsg.RecordBatch
	start, end int
	// data tells that its records are to be read: it is no marker, nor of an
	// aborted transaction.
	data bool
}

// What the attributes of a batch say.
const (
	codecMask     = 0x07
	appendTime    = 0x08
	transactional = 0x10
	control       = 0x20
)

// headerSize is what comes before the records of a batch.
const headerSize = 61

// read reads the records of a partition from at on, as far as they are what was
// written; it fails where the first of them are not. Where whole, the answer's
// bytes are the partition's alone and become those of the records; otherwise they
// are copied, for each partition's records would keep those of all.
func (l *logReader) read(p sinkd.Partition, at int64, rp *kmsg.FetchResponseTopicPartition, whole bool) (piece, error) {
	out := piece{next: at, epoch: -1, stable: rp.LastStableOffset}
	if !l.committed {
		out.stable = rp.HighWatermark
	}
	if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
		return out, err
	}
	sections, legacy, err := split(rp, at)
	if legacy {
		return l.legacy(p, out, rp)
	}
	l.aborts(rp).pass(sections, rp.RecordBatches)
	out.raw = size(sections)
	buf, sections, bad := l.inflate(sections, rp.RecordBatches, whole)
	out.inflated = size(sections)
	bad = cmp.Or(out.take(sections, sinkd.NewChunk(p, buf, count(sections))), bad, err)
	if out.next > at {
		return out, nil // What is corrupt comes first with the next fetch.
	}
	return out, bad
}

// split finds the whole batches of a fetch that are not below at, up to the first
// that is corrupt. What is cut off at the end comes with the next fetch. legacy
// tells that there are messages of an older format.
func split(rp *kmsg.FetchResponseTopicPartition, at int64) (sections []section, legacy bool, err error) {
	const lengthEnd, magicAt, crcEnd = 12, 16, 21
	in, next := rp.RecordBatches, int64(0)
	for pos := 0; len(in)-pos > magicAt; {
		b := in[pos:]
		size := int64(int32(binary.BigEndian.Uint32(b[8:]))) + lengthEnd
		if b[magicAt] < 2 {
			return nil, true, nil
		}
		if size < headerSize {
			return sections, false, fmt.Errorf("%w at offset %d: it has %d bytes", errCorrupt, binary.BigEndian.Uint64(b), size)
		}
		if size > int64(len(b)) {
			break
		}
		b = b[:size]
		s := section{start: pos + headerSize, end: pos + int(size)}
		if err := s.ReadFrom(b); err != nil || s.Magic != 2 || s.NumRecords < 0 || s.LastOffsetDelta < 0 {
			return sections, false, fmt.Errorf("%w at offset %d, of format %d", errCorrupt, s.FirstOffset, b[magicAt])
		}
		if sum := crc32.Checksum(b[crcEnd:], castagnoli); sum != uint32(s.CRC) {
			return sections, false, fmt.Errorf("%w at offset %d: its checksum is %x, of its bytes it is %x", errCorrupt, s.FirstOffset, uint32(s.CRC), sum)
		}
		// The checksum is not of the offset.
		if s.FirstOffset < next || s.last() < s.FirstOffset || rp.HighWatermark > 0 && s.last() >= rp.HighWatermark {
			return sections, false, fmt.Errorf("%w at offset %d: the log goes from %d to %d there", errCorrupt, s.FirstOffset, next, rp.HighWatermark)
		}
		if next = s.last() + 1; next > at {
			sections = append(sections, s)
		}
		pos += int(size)
	}
	return sections, false, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// last is the batch's last offset, also where compaction removed its record.
func (s *section) last() int64 { return s.FirstOffset + int64(s.LastOffsetDelta) }

// codec is how the batch is compressed.
func (s *section) codec() kgo.CompressionCodecType {
	return kgo.CompressionCodecType(s.Attributes & codecMask)
}

// size is how many bytes the sections' data have.
func size(sections []section) (sum int64) {
	for i := range sections {
		if s := &sections[i]; s.data {
			sum += int64(s.end - s.start)
		}
	}
	return sum
}

// count bounds the data records of the sections by what their bytes can hold.
func count(sections []section) (n int) {
	for i := range sections {
		if s := &sections[i]; s.data {
			n += min(int(s.NumRecords), s.end-s.start)
		}
	}
	return n
}

// inflate gives a buffer that holds the data of the sections, and says in them
// where; of the sections those up to the first that cannot be decompressed. The
// buffer is not much larger than what it holds, for it is kept with the records.
func (l *logReader) inflate(sections []section, in []byte, whole bool) ([]byte, []section, error) {
	rest := int(size(sections))
	packed := slices.ContainsFunc(sections, func(s section) bool { return s.data && s.codec() != kgo.CodecNone })
	if !packed && whole && fits(rest, len(in)) {
		return in, sections, nil
	}
	buf := make([]byte, 0, rest)
	for i := range sections {
		s := &sections[i]
		if !s.data {
			continue
		}
		b := in[s.start:s.end]
		rest -= len(b)
		s.start = len(buf)
		if s.codec() == kgo.CodecNone {
			buf = append(buf, b...)
		} else {
			out, err := l.decompressor.Decompress(b, s.codec())
			if err != nil {
				return buf, sections[:i], fmt.Errorf("%w at offset %d: decompress it: %w", errCorrupt, s.FirstOffset, err)
			}
			// The others may grow as much, but one that is all zeros tells little.
			more := min(rest*len(out)/max(len(b), 1), 8*rest)
			buf = append(slices.Grow(buf, len(out)+more), out...)
			l.scratch.PutDecompressBytes(out)
		}
		s.end = len(buf)
	}
	if !fits(len(buf), cap(buf)) {
		buf = bytes.Clone(buf)
	}
	return buf, sections, nil
}

// fits tells that most of a buffer of that size is used.
func fits(used, size int) bool { return used >= size-size/8 }

// aborts lists the aborted transactions of a fetch. Brokers need not list them in
// order.
func (l *logReader) aborts(rp *kmsg.FetchResponseTopicPartition) aborts {
	if !l.committed || len(rp.AbortedTransactions) == 0 {
		return nil
	}
	a := make(aborts)
	for _, t := range rp.AbortedTransactions {
		a[t.ProducerID] = append(a[t.ProducerID], t.FirstOffset)
	}
	for _, firsts := range a {
		slices.Sort(firsts)
	}
	return a
}

// legacy reads what was written in an older format.
func (l *logReader) legacy(p sinkd.Partition, out piece, rp *kmsg.FetchResponseTopicPartition) (piece, error) {
	fp, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: out.next, IsolationLevel: l.isolation, Topic: p.Topic, Partition: p.ID,
	}, rp, kgo.DefaultDecompressor(), nil)
	if fp.Err != nil {
		return out, fp.Err
	}
	records := make([]*sinkd.Record, len(fp.Records))
	for i, r := range fp.Records {
		records[i] = recordOf(r)
		out.epoch = r.LeaderEpoch
	}
	out.records, out.next = sinkd.RecordsOf(records...), next
	out.inflated = out.records.Size(len(records))
	return out, nil
}

// recordOf is a record of the client's.
func recordOf(r *kgo.Record) *sinkd.Record {
	rec := &sinkd.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch, Key: r.Key, Value: r.Value,
	}
	if r.Attrs.TimestampType() >= 0 { // the oldest format has none
		rec.Timestamp = r.Timestamp
	}
	for i := range r.Headers {
		rec.Headers = append(rec.Headers, sinkd.Header{Key: []byte(r.Headers[i].Key), Value: r.Headers[i].Value})
	}
	return rec
}
