package stream

import (
	"bytes"
	"errors"
	"hash/crc32"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/sinkd/sinkd"
)

// drawnLog is a piece of a log as a broker answers it to a fetch.
type drawnLog struct {
	batches [][]byte
	aborted []kmsg.FetchResponseTopicPartitionAbortedTransaction
	// end is the offset behind it.
	end int64
}

// answer gives it as the broker's answer, in which the last batch may be cut off.
func (l *drawnLog) answer(cut int) *kmsg.FetchResponseTopicPartition {
	log := slices.Concat(l.batches...)
	return &kmsg.FetchResponseTopicPartition{
		Partition: 3, RecordBatches: log[:len(log)-cut], AbortedTransactions: l.aborted, HighWatermark: l.end + 5, LastStableOffset: l.end,
	}
}

// drawLog makes a log of batches of all kinds: compressed or not, with holes and
// without any record, of several producers whose transactions interleave.
func drawLog(t *rapid.T) *drawnLog {
	l := &drawnLog{end: int64(rapid.IntRange(0, 3).Draw(t, "start"))}
	open := make(map[int64]int64) // first offsets of transactions
	for range rapid.IntRange(0, 9).Draw(t, "batches") {
		b := kmsg.RecordBatch{
			FirstOffset: l.end, Magic: 2, PartitionLeaderEpoch: int32(l.end % 7), ProducerID: int64(rapid.IntRange(-1, 2).Draw(t, "producer")),
			FirstTimestamp: 1_700_000_000_000, MaxTimestamp: 1_700_000_009_999, FirstSequence: -1, ProducerEpoch: -1,
		}
		if rapid.Bool().Draw(t, "append time") {
			b.Attributes |= appendTime
		}
		first, began := open[b.ProducerID]
		switch {
		case began && rapid.Bool().Draw(t, "ends"):
			b.Attributes |= transactional | control
			abort := rapid.Bool().Draw(t, "aborts")
			b.Records, b.NumRecords = marker(abort), 1
			if abort {
				l.aborted = append(l.aborted, kmsg.FetchResponseTopicPartitionAbortedTransaction{ProducerID: b.ProducerID, FirstOffset: first})
			}
			delete(open, b.ProducerID)
		case b.ProducerID >= 0 && (began || rapid.Bool().Draw(t, "transactional")):
			b.Attributes |= transactional
			if !began {
				open[b.ProducerID] = b.FirstOffset
			}
			fill(t, &b)
		default:
			fill(t, &b)
		}
		l.batches = append(l.batches, sealed(b))
		l.end = b.FirstOffset + int64(b.LastOffsetDelta) + 1 + int64(rapid.SampledFrom([]int{0, 0, 4}).Draw(t, "gap"))
	}
	l.aborted = rapid.Permutation(l.aborted).Draw(t, "order")
	return l
}

// marker is the record that ends a transaction.
func marker(abort bool) []byte {
	key := []byte{0, 0, 0, 1}
	if abort {
		key[3] = 0
	}
	return appendWire(nil, 0, key, []byte{0, 0, 0, 0, 0, 0})
}

// fill gives a batch records, of which compaction has removed some, and
// compresses them.
func fill(t *rapid.T, b *kmsg.RecordBatch) {
	b.LastOffsetDelta = int32(rapid.IntRange(0, 40).Draw(t, "last"))
	for delta := range b.LastOffsetDelta + 1 {
		if !rapid.Bool().Draw(t, "kept") {
			continue
		}
		var key, value []byte
		if n := rapid.IntRange(-1, 70).Draw(t, "key"); n >= 0 {
			key = bytes.Repeat([]byte{'k'}, n)
		}
		if n := rapid.SampledFrom([]int{-1, 0, 10, 200, 9_000}).Draw(t, "value"); n >= 0 {
			value = bytes.Repeat([]byte{'v'}, n)
		}
		b.Records = appendWire(b.Records, int(delta), key, value)
		b.NumRecords++
	}
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	if c, err := kgo.DefaultCompressor(rapid.SampledFrom(codecs).Draw(t, "codec")); c != nil && err == nil && b.NumRecords > 0 {
		out, codec := c.Compress(new(bytes.Buffer), b.Records)
		b.Records, b.Attributes = slices.Clone(out), b.Attributes|int16(codec)
	}
}

// TestLogIsReadAsTheClientReadsIt compares with franz-go: the same records, and
// the same offset behind them.
func TestLogIsReadAsTheClientReadsIt(t *testing.T) {
	p := sinkd.Partition{Topic: "t", ID: 3}
	rapid.Check(t, func(t *rapid.T) {
		l := drawLog(t)
		at := int64(rapid.IntRange(0, int(l.end)).Draw(t, "at"))
		cut := 0
		if n := len(l.batches); n > 0 && rapid.Bool().Draw(t, "cut off") {
			cut = rapid.IntRange(0, len(l.batches[n-1])).Draw(t, "bytes")
		}
		k := &Kafka{ReadUncommitted: rapid.Bool().Draw(t, "uncommitted")}
		r, whole := newLogReader(k), rapid.Bool().Draw(t, "whole")
		rp := l.answer(cut)
		got, err := r.read(p, at, rp, whole)
		want, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset: at, IsolationLevel: k.isolation(), Topic: p.Topic, Partition: p.ID,
		}, l.answer(cut), kgo.DefaultDecompressor(), nil)
		if err != nil || want.Err != nil {
			t.Fatal(err, want.Err)
		}
		if !whole { // then it keeps nothing of the answer
			clear(rp.RecordBatches)
		}
		if got.next != next || got.records.Len() != len(want.Records) {
			t.Fatalf("%d records up to %d, want %d up to %d", got.records.Len(), got.next, len(want.Records), next)
		}
		for i, rec := range got.records.All() {
			if diff := cmp.Diff(recordOf(want.Records[i]), rec); diff != "" {
				t.Fatalf("record %d (-want +got):\n%s", i, diff)
			}
		}
		if stable := map[bool]int64{true: l.end + 5, false: l.end}[k.ReadUncommitted]; got.stable != stable {
			t.Errorf("what may be read ends at %d, want %d", got.stable, stable)
		}
	})
}

// Messages of the formats before records had batches.
func TestOldFormatsAreRead(t *testing.T) {
	message := func(magic int8, offset int64) []byte {
		if magic == 0 {
			m := kmsg.MessageV0{Offset: offset, Key: []byte("k"), Value: []byte("v")}
			m.MessageSize = int32(len(m.AppendTo(nil)) - 12)
			m.CRC = int32(crc32.ChecksumIEEE(m.AppendTo(nil)[16:]))
			return m.AppendTo(nil)
		}
		m := kmsg.MessageV1{Offset: offset, Magic: 1, Timestamp: 1_700_000_000_123, Key: []byte("k"), Value: []byte("v")}
		m.MessageSize = int32(len(m.AppendTo(nil)) - 12)
		m.CRC = int32(crc32.ChecksumIEEE(m.AppendTo(nil)[16:]))
		return m.AppendTo(nil)
	}
	rp := &kmsg.FetchResponseTopicPartition{RecordBatches: slices.Concat(message(0, 5), message(1, 6), fetched(2, 2))}
	got, err := newLogReader(&Kafka{}).read(sinkd.Partition{Topic: "t"}, 6, rp, true)
	if err != nil || got.next != 7 || got.records.Len() != 1 {
		t.Fatalf("%d records up to %d, %v", got.records.Len(), got.next, err)
	}
	if rec := got.records.At(0); rec.Offset != 6 || !rec.Timestamp.Equal(time.UnixMilli(1_700_000_000_123)) || string(rec.Value) != "v" {
		t.Errorf("%+v", rec)
	}
	got, err = newLogReader(&Kafka{}).read(sinkd.Partition{Topic: "t"}, 5, rp, true)
	if err != nil || !got.records.At(0).Timestamp.IsZero() {
		t.Errorf("%v; the oldest format has a timestamp: %+v", err, got.records.At(0))
	}
}

// A batch that is not what its writer wrote is an error that says where, never
// a record and never a gap.
func TestCorruptBatchIsRefused(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"a bit":          func(b []byte) []byte { b[100] ^= 1; return b },
		"no length":      func(b []byte) []byte { clear(b[8:12]); return b },
		"unknown format": func(b []byte) []byte { b[16] = 3; return b },
		"too few records": func([]byte) []byte {
			return sealed(kmsg.RecordBatch{Magic: 2, LastOffsetDelta: 1, NumRecords: 2, Records: appendWire(nil, 0, nil, nil)})
		},
		"records of nothing": func([]byte) []byte {
			return sealed(kmsg.RecordBatch{Magic: 2, LastOffsetDelta: 1, NumRecords: 2})
		},
		"not compressed": func([]byte) []byte {
			return sealed(kmsg.RecordBatch{Magic: 2, Attributes: 4, NumRecords: 1, Records: []byte("text")})
		},
		"unknown codec": func([]byte) []byte {
			return sealed(kmsg.RecordBatch{Magic: 2, Attributes: 7, NumRecords: 1, Records: []byte("text")})
		},
		"negative number": func([]byte) []byte { return sealed(kmsg.RecordBatch{Magic: 2, NumRecords: -1}) },
	} {
		t.Run(name, func(t *testing.T) {
			rp := &kmsg.FetchResponseTopicPartition{RecordBatches: spoil(fetched(10, 10))}
			got, err := newLogReader(&Kafka{}).read(sinkd.Partition{Topic: "t"}, 0, rp, true)
			if !errors.Is(err, errCorrupt) || got.records.Len() > 0 || got.next != 0 {
				t.Errorf("%d records up to %d, %v", got.records.Len(), got.next, err)
			}
		})
	}
}

// What a broker answers is read or refused, whatever it is.
func FuzzReadLog(f *testing.F) {
	f.Add(fetched(10, 5), int64(3))
	f.Add(sealed(kmsg.RecordBatch{Magic: 2, Attributes: transactional | control, NumRecords: 1, Records: marker(true)}), int64(0))
	f.Fuzz(func(t *testing.T, log []byte, at int64) {
		if len(log) > 61 && log[16] == 2 { // past the checksum
			log = slices.Clone(log)
			var b kmsg.RecordBatch
			if b.ReadFrom(log) == nil {
				log = sealed(b)
			}
		}
		rp := &kmsg.FetchResponseTopicPartition{RecordBatches: log}
		got, err := newLogReader(&Kafka{}).read(sinkd.Partition{Topic: "t"}, at, rp, true)
		if err == nil && got.next < at {
			t.Fatalf("it goes back to %d", got.next)
		}
		for _, rec := range got.records.All() {
			if rec.Offset < at {
				t.Fatalf("record %d of a fetch at %d", rec.Offset, at)
			}
		}
	})
}
