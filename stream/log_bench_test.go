package stream

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
)

// fetched gives what a fetch brings of n records, in batches of so many.
func fetched(n, batch int) []byte {
	var log []byte
	for at := 0; at < n; at += batch {
		b := kmsg.RecordBatch{
			FirstOffset: int64(at), Magic: 2, LastOffsetDelta: int32(batch - 1), FirstTimestamp: 1_700_000_000_000,
			ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: int32(batch),
		}
		for i := range batch {
			b.Records = appendWire(b.Records, i, fmt.Appendf(nil, "%d", at+i), fmt.Appendf(nil, "%0140d", at+i))
		}
		log = append(log, sealed(b)...)
	}
	return log
}

// appendWire appends a record as a producer writes it.
func appendWire(dst []byte, delta int, key, value []byte) []byte {
	body := []byte{0}
	body = binary.AppendVarint(body, int64(delta)) // timestamp
	body = binary.AppendVarint(body, int64(delta)) // offset
	for _, part := range [][]byte{key, value} {
		if part == nil {
			body = binary.AppendVarint(body, -1)
			continue
		}
		body = append(binary.AppendVarint(body, int64(len(part))), part...)
	}
	body = binary.AppendVarint(body, 0) // headers
	return append(binary.AppendVarint(dst, int64(len(body))), body...)
}

// sealed gives the batch as it lies in the log.
func sealed(b kmsg.RecordBatch) []byte {
	b.Length = int32(len(b.AppendTo(nil)) - 12)
	out := b.AppendTo(nil)
	binary.BigEndian.PutUint32(out[17:], crc32.Checksum(out[21:], castagnoli))
	return out
}

// BenchmarkReadLog makes records of what a fetch brings, and looks at each.
func BenchmarkReadLog(b *testing.B) {
	const n = 10_000
	rp := &kmsg.FetchResponseTopicPartition{RecordBatches: fetched(n, 100), LastStableOffset: n}
	l := newLogReader(&Kafka{})
	b.ReportAllocs()
	b.SetBytes(int64(len(rp.RecordBatches)))
	for b.Loop() {
		p, err := l.read(sinkd.Partition{Topic: "t"}, 0, rp, true)
		if err != nil || p.records.Len() != n {
			b.Fatal(p.records.Len(), err)
		}
		var rec sinkd.Record
		for range p.records.Each(&rec) {
		}
	}
}
