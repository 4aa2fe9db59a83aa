package lab_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd/integration/lab"
)

func TestTopic(t *testing.T) {
	t.Parallel()
	addr := lab.SharedKafka(t).Addr()
	roundTrip(t, addr, lab.Topic(t, addr, 3, "retention.ms=3600000"))
}

func TestKafkaKeepsItsDataThroughKillAndRestart(t *testing.T) {
	t.Parallel()
	k, err := lab.StartKafka(lab.KafkaOptions{Quick: true, Properties: map[string]string{"broker.session.timeout.ms": "2000"}})
	lab.Require(t, err)
	topic := lab.Topic(t, k.Addr(), 1)
	produce(t, k.Addr(), topic)
	if err := k.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := k.Start(); err != nil {
		t.Fatal(err)
	}
	consume(t, k.Addr(), topic)
	begin := time.Now()
	if err := k.Restart(); err != nil {
		t.Fatal(err)
	}
	t.Logf("restarted in %s", time.Since(begin))
	consume(t, k.Addr(), topic)

	if err := k.Pause(); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, k.Addr(), kgo.RequestTimeoutOverhead(time.Second), kgo.RetryTimeout(time.Second))
	if err := client.Ping(t.Context()); err == nil {
		t.Error("a paused broker answers")
	}
	if err := k.Resume(); err != nil {
		t.Fatal(err)
	}
	consume(t, k.Addr(), topic)
}

func roundTrip(t *testing.T, addr, topic string) {
	t.Helper()
	produce(t, addr, topic)
	consume(t, addr, topic)
}

func produce(t *testing.T, addr, topic string) {
	t.Helper()
	record := &kgo.Record{Topic: topic, Value: []byte("value")}
	if err := newClient(t, addr).ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// consume reads the first record of a topic.
func consume(t *testing.T, addr, topic string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client := newClient(t, addr, kgo.ConsumeTopics(topic))
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatal("no record")
		}
		for r := range fetches.RecordsAll() {
			if string(r.Value) != "value" {
				t.Errorf("value %q", r.Value)
			}
			return
		}
	}
}

func newClient(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// TestHousekeepingIsQuick shows the topic settings by which records expire,
// and are compacted away, while a test waits.
func TestHousekeepingIsQuick(t *testing.T) {
	t.Parallel()
	addr := lab.SharedKafka(t).Addr()
	client := newClient(t, addr)
	admin := kadm.NewClient(client)

	expired := lab.Topic(t, addr, 1, "retention.ms=100", "segment.ms=100", "file.delete.delay.ms=0")
	produce(t, addr, expired)
	begin := time.Now()
	for start := int64(0); start == 0; time.Sleep(20 * time.Millisecond) {
		starts, err := admin.ListStartOffsets(t.Context(), expired)
		must(t, err)
		at, _ := starts.Lookup(expired, 0)
		start = at.Offset
	}
	t.Logf("expired within %s", time.Since(begin))

	compacted := lab.Topic(t, addr, 1, "cleanup.policy=compact", "segment.ms=100",
		"min.cleanable.dirty.ratio=0.001", "max.compaction.lag.ms=100")
	for range 10 {
		record := &kgo.Record{Topic: compacted, Key: []byte("key"), Value: []byte("value")}
		must(t, client.ProduceSync(t.Context(), record).FirstErr())
		time.Sleep(30 * time.Millisecond) // a segment is closed by the first record after its time
	}
	begin = time.Now()
	for first := int64(0); first == 0; {
		first = firstOffset(t, addr, compacted)
	}
	t.Logf("compacted within %s", time.Since(begin))
}

func firstOffset(t *testing.T, addr, topic string) int64 {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(t, err)
	defer client.Close()
	for r := range client.PollFetches(t.Context()).RecordsAll() {
		return r.Offset
	}
	return 0
}
