package stream

import (
	"bytes"
	"runtime"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
)

// oneBatch gives a batch of one record, compressed where asked.
func oneBatch(t *testing.T, at int64, value []byte, packed bool) []byte {
	t.Helper()
	b := kmsg.RecordBatch{
		FirstOffset: at, Magic: 2, FirstTimestamp: 1_700_000_000_000, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		NumRecords: 1, Records: appendWire(nil, 0, nil, value),
	}
	if packed {
		c, err := kgo.DefaultCompressor(kgo.ZstdCompression())
		if err != nil {
			t.Fatal(err)
		}
		out, codec := c.Compress(new(bytes.Buffer), b.Records)
		b.Records, b.Attributes = slices.Clone(out), int16(codec)
	}
	return sealed(b)
}

// TestRecordsKeepLittleElse: the memory that is kept with records is hardly more
// than theirs, and is counted.
func TestRecordsKeepLittleElse(t *testing.T) {
	const mega = 1 << 20
	zeros := make([]byte, mega)
	aborted := kmsg.RecordBatch{
		Magic: 2, ProducerID: 1, Attributes: transactional, FirstSequence: -1, NumRecords: 1, Records: appendWire(nil, 0, nil, zeros),
	}
	end := kmsg.RecordBatch{FirstOffset: 1, Magic: 2, ProducerID: 1, Attributes: transactional | control, NumRecords: 1, Records: marker(true)}
	manySmall := oneBatch(t, 0, zeros, true)
	manyLarge := slices.Clone(manySmall)
	for at := range int64(300) {
		manySmall = append(manySmall, oneBatch(t, at+1, []byte("small"), true)...)
	}
	for at := range int64(9) {
		manyLarge = append(manyLarge, oneBatch(t, at+1, zeros, true)...)
	}
	for name, c := range map[string]struct {
		log []byte
		// used is what the records come to.
		used int64
	}{
		"a large batch before small ones":   {manySmall, mega},
		"large batches":                     {manyLarge, 10 * mega},
		"a batch that is cut off":           {append(oneBatch(t, 0, zeros, false), oneBatch(t, 1, zeros, false)[:mega/2]...), mega},
		"an aborted transaction before one": {slices.Concat(sealed(aborted), sealed(end), oneBatch(t, 2, []byte("kept"), false)), 100},
	} {
		t.Run(name, func(t *testing.T) {
			rp := &kmsg.FetchResponseTopicPartition{RecordBatches: slices.Clip(c.log)}
			if name == "an aborted transaction before one" {
				rp.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 1}}
			}
			p, err := newLogReader(&Kafka{}).read(sinkd.Partition{Topic: "t"}, 0, rp, true)
			n := p.records.Len()
			if err != nil || n == 0 {
				t.Fatal(n, err)
			}
			if held := p.records.Held(n) - int64(n)*sinkd.RefSize; held < p.records.Size(n) || held > c.used*5/4 {
				t.Errorf("%d records of %d bytes hold %d", n, p.records.Size(n), held)
			}
		})
	}
}

// What the batches behind a large one will come to is not known, and is not taken
// to be as much.
func TestLittleIsReserved(t *testing.T) {
	log := oneBatch(t, 0, make([]byte, 1<<20), true)
	for at := range int64(300) {
		log = append(log, oneBatch(t, at+1, []byte("small"), true)...)
	}
	r := newLogReader(&Kafka{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := r.read(sinkd.Partition{}, 0, &kmsg.FetchResponseTopicPartition{RecordBatches: log}, true); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if mega := (after.TotalAlloc - before.TotalAlloc) >> 20; mega > 64 {
		t.Errorf("%d MiB were taken for 1", mega)
	}
}

// What stands before a corrupt batch is read; the batch is met by the next fetch,
// which begins with it.
func TestGoodBatchesBeforeACorruptOne(t *testing.T) {
	torn := kmsg.RecordBatch{FirstOffset: 90, Magic: 2, LastOffsetDelta: 1, NumRecords: 2, Records: appendWire(nil, 0, nil, nil)}
	packed := kmsg.RecordBatch{FirstOffset: 90, Magic: 2, Attributes: 4, NumRecords: 1, Records: []byte("text")}
	bit := oneBatch(t, 90, []byte("v"), false)
	bit[len(bit)-1] ^= 1
	far := oneBatch(t, 90, []byte("v"), false)
	far[3] ^= 1 // the checksum is not of the first offset
	back := oneBatch(t, 26, []byte("v"), false)
	for name, bad := range map[string][]byte{
		"a bit": bit, "records of nothing": sealed(torn), "not compressed": sealed(packed), "beyond the log": far, "back in the log": back,
	} {
		t.Run(name, func(t *testing.T) {
			rp := &kmsg.FetchResponseTopicPartition{
				RecordBatches: slices.Concat(fetched(90, 10), bad, oneBatch(t, 92, []byte("v"), false)), HighWatermark: 93, LastStableOffset: 93,
			}
			r := newLogReader(&Kafka{})
			p, err := r.read(sinkd.Partition{Topic: "t"}, 0, rp, true)
			if err != nil || p.records.Len() != 90 || p.next != 90 {
				t.Errorf("%d records up to %d: %v", p.records.Len(), p.next, err)
			}
			if name == "back in the log" {
				return // alone it would be passed over: it is before what is asked for
			}
			rp.RecordBatches = bad
			if p, err = r.read(sinkd.Partition{Topic: "t"}, 90, rp, true); err == nil || p.records.Len() > 0 || p.next != 90 {
				t.Errorf("%d records up to %d: %v", p.records.Len(), p.next, err)
			}
		})
	}
}
