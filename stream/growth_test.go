package stream

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
)

// ask gives how many bytes a fetch from one of so many brokers may bring, and how
// many of each partition, one for each name of a topic.
func (g *growth) ask(brokers int, topics ...string) (bytes int32, parts []int32) {
	spots := make([]spot, len(topics))
	for i, topic := range topics {
		spots[i].Topic = topic
	}
	bytes = g.bound(spots, brokers)
	for i := range spots {
		parts = append(parts, spots[i].bytes)
	}
	return bytes, parts
}

// A fetch brings no more, decompressed, than is good for the memory.
func TestFetchesAreBounded(t *testing.T) {
	g := newGrowth(&Config{Memory: 256 << 20})
	for _, step := range []struct {
		raw, inflated int64
		brokers       int
		bytes, part   int32
	}{
		{brokers: 1, bytes: firstFetchBytes, part: firstFetchBytes},
		{raw: 1000, inflated: 1000, brokers: 1, bytes: 4 << 20, part: 4 << 20},
		{brokers: 4, bytes: 4 << 20, part: 4 << 20},
		{brokers: 8, bytes: 2 << 20, part: 4 << 20},
		{raw: 1000, inflated: 4000, brokers: 1, bytes: 1 << 20, part: 1 << 20},
		{raw: 1000, inflated: 1_000_000_000, brokers: 1, bytes: leastFetchBytes, part: leastFetchBytes},
	} {
		g.seen("t", step.raw, step.inflated)
		if bytes, parts := g.ask(step.brokers, "t"); bytes != step.bytes || parts[0] != step.part {
			t.Errorf("%d grew to %d, %d brokers: %d bytes, %d of a partition; want %d, %d", step.raw, step.inflated, step.brokers, bytes, parts[0], step.bytes, step.part)
		}
	}
	for range 400 {
		g.seen("t", 1000, 1000)
	}
	if bytes, _ := g.ask(1, "t"); bytes < 3<<20 {
		t.Errorf("%d bytes after batches that grow no more", bytes)
	}
}

// Each topic grows in its own way: what another brings says nothing about it, and
// the fetch of both is bounded by the one that grows most.
func TestTopicsGrowApart(t *testing.T) {
	g := newGrowth(&Config{Memory: 256 << 20})
	g.seen("packed", 10_000, 1_000_000)
	for range 1000 {
		g.seen("plain", 1<<20, 1<<20)
	}
	if bytes, parts := g.ask(1, "packed", "plain"); int64(bytes) > g.most/100 || int64(parts[0]) > g.partition/100 || int64(parts[1]) != g.partition {
		t.Errorf("%d bytes of both, %d of each", bytes, parts)
	}
	if bytes, _ := g.ask(1, "plain"); int64(bytes) != g.most {
		t.Errorf("%d bytes of the one that does not grow", bytes)
	}
	// One of which nothing is known does not hold up the others, however many
	// partitions it has.
	bytes, parts := g.ask(1, "plain", "new", "new", "new", "new")
	if int64(bytes) != g.most || parts[1]+parts[2]+parts[3]+parts[4] > firstFetchBytes {
		t.Errorf("%d bytes, %d of each", bytes, parts)
	}
}

// A batch that compaction emptied says nothing of how much others grow, nor does
// a marker.
func TestGrowthIsNotLearntFromNothing(t *testing.T) {
	g := newGrowth(&Config{Memory: 256 << 20})
	p, err := newLogReader(&Kafka{}).read(sinkd.Partition{}, 0, &kmsg.FetchResponseTopicPartition{RecordBatches: append(
		sealed(kmsg.RecordBatch{Magic: 2}),
		sealed(kmsg.RecordBatch{FirstOffset: 1, Magic: 2, Attributes: transactional | control, NumRecords: 1, Records: marker(false)})...,
	)}, true)
	if err != nil || p.next != 2 {
		t.Fatal(p.next, err)
	}
	if g.seen("t", p.raw, p.inflated); len(g.factors) > 0 {
		t.Errorf("it has learnt %v", g.factors)
	}
}

// Where the rate is capped, a partition is read in small pieces.
func TestCappedPartitionsAreReadInPieces(t *testing.T) {
	g := newGrowth(&Config{Memory: 256 << 20, MaxRate: 10})
	g.seen("t", 1000, 1000)
	if _, parts := g.ask(1, "t"); parts[0] != slowFetchBytes {
		t.Errorf("%d bytes", parts[0])
	}
}
