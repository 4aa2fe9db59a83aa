package integration_test

import (
	bigendian "encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd/integration/lab"
)

// newCompactedWorld is newWorld with one partition, whose log is compacted up
// to the last segment; each batch begins a new one.
func newCompactedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 1)
	var settings []kadm.AlterConfig
	for name, value := range map[string]string{
		"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "1", "delete.retention.ms": "0",
	} {
		settings = append(settings, kadm.AlterConfig{Name: name, Value: &value})
	}
	if _, err := w.admin().AlterTopicConfigs(t.Context(), settings, w.topic); err != nil {
		t.Fatal(err)
	}
	return w
}

// keyed sends n events with one key, of which compaction keeps the last.
func (w *world) keyed(key string, n int) {
	w.t.Helper()
	first := w.ids(n)
	recs := make([]*kgo.Record, n)
	for i := range recs {
		recs[i] = w.event(first+int64(i), 0)
		recs[i].Key = []byte(key)
	}
	try(w.t, w.send(w.t.Context(), recs, func(i int, at place) { w.sent[at] = first + int64(i) }))
}

// tombstone deletes a key, in a batch of a producer without an id: of one that
// has an id, the last batch is never compacted.
func (w *world) tombstone(key string) {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers), kgo.DisableIdempotentWrite())
	try(w.t, err)
	defer client.Close()
	try(w.t, client.ProduceSync(w.t.Context(), &kgo.Record{Topic: w.topic, Key: []byte(key)}).FirstErr())
}

// numbered gives a tombstone in a batch of a producer with an id, as it is at a
// time. Sent once more it is a duplicate, which the broker does not append; but
// it begins a new segment where the batch is later than the one before.
func (w *world) numbered(key string) (batch func(time.Time) []byte) {
	w.t.Helper()
	id, err := kmsg.NewPtrInitProducerIDRequest().RequestWith(w.t.Context(), w.client)
	if err == nil {
		err = kerr.ErrorForCode(id.ErrorCode)
	}
	try(w.t, err)
	return func(at time.Time) []byte { return tombstoneOf(key, id.ProducerID, id.ProducerEpoch, at) }
}

func tombstoneOf(key string, producer int64, epoch int16, at time.Time) []byte {
	record := kmsg.Record{Key: []byte(key)}
	record.Length = int32(len(record.AppendTo(nil)) - 1)
	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, FirstTimestamp: at.UnixMilli(), MaxTimestamp: at.UnixMilli(),
		ProducerID: producer, ProducerEpoch: epoch, NumRecords: 1, Records: record.AppendTo(nil),
	}
	raw := batch.AppendTo(nil)
	bigendian.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	bigendian.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

// transmit sends a batch as it is.
func (w *world) transmit(batch []byte) {
	w.t.Helper()
	topics, err := w.admin().Metadata(w.t.Context(), w.topic)
	try(w.t, err)
	detail := topics.Topics[w.topic]
	rp := kmsg.NewProduceRequestTopicPartition()
	rp.Records = batch
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.TopicID = w.topic, detail.ID
	rt.Partitions = append(rt.Partitions, rp)
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 10_000
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(w.t.Context(), w.client.Broker(int(detail.Partitions[0].Leader)))
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	try(w.t, err)
}

// keeps waits until compaction has left just the records at those offsets.
func (w *world) keeps(offsets ...int64) {
	w.t.Helper()
	eventually(w.t, 30*time.Second, "compaction has not done its work", func() error {
		try(w.t, lab.SharedKafka(w.t).Recompact())
		if got := w.stored(0); !slices.Equal(got, offsets) {
			return fmt.Errorf("the log holds %v, want %v", got, offsets)
		}
		return nil
	})
}

// TestCompactedHole has records behind the position compacted away while the
// service is down: the first record of its claim lies far above the position,
// and that is no loss.
func TestCompactedHole(t *testing.T) {
	t.Parallel()
	w := newCompactedWorld(t)
	for i := range 5 {
		w.keyed(strconv.Itoa(i), 1)
	}
	if code := start(t, w.env(), "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	landed := len(w.sent)
	w.keyed("hole", 40) // 5 to 44
	w.keyed("end", 1)
	w.keeps(0, 1, 2, 3, 4, 44, 45)
	for at := range w.sent {
		if at.offset >= 5 && at.offset < 44 {
			delete(w.sent, at)
		}
	}
	if len(w.sent) != landed+2 {
		t.Fatalf("%d records are left to land, want 2", len(w.sent)-landed)
	}
	s := start(t, w.env())
	s.ready(30 * time.Second)
	w.keyed("later", 1)
	w.landed(30 * time.Second)
}

// TestSilentTail has the log end in what compaction removed: no fetch will ever
// bring a record from there.
func TestSilentTail(t *testing.T) {
	t.Parallel()
	w := newCompactedWorld(t)
	w.keyed("kept", 1)
	landed := maps.Clone(w.sent)
	w.keyed("gone", 10)
	numbered := w.numbered("numbered")
	w.transmit(numbered(time.Now()))
	w.tombstone("gone")
	w.tombstone("numbered")
	w.transmit(numbered(time.Now().Add(time.Minute)))
	w.keeps(0)
	w.sent = landed
	ends := w.ends()
	if code := start(t, w.env(), "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.exact()
	try(t, w.reached(ends))
}
