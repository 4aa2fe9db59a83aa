package lab

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// SharedKafka gives the one broker of this test binary, started on first use.
// A test that stops its broker starts one for itself.
func SharedKafka(t testing.TB) *Kafka {
	t.Helper()
	return theShared(t).kafka.get(t, func() (*Kafka, error) { return StartKafka(KafkaOptions{Quick: true}) })
}

// Topic makes a topic with a name of its own for one test, which is deleted at
// its end. Configs are of the form retention.ms=1000. It returns when every
// partition can be read and written.
func Topic(t testing.TB, addr string, partitions int, configs ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	name := strings.ReplaceAll(uniqueName(t), "__", "_")
	settings := make(map[string]*string, len(configs))
	for _, c := range configs {
		k, v, ok := strings.Cut(c, "=")
		if !ok {
			t.Fatalf("topic: %q is not of the form name=value", c)
		}
		settings[k] = &v
	}
	if _, err := admin.CreateTopic(ctx, int32(partitions), 1, settings, name); err != nil {
		t.Fatalf("create topic %s: %v", name, err)
	}
	t.Cleanup(func() { deleteTopic(addr, name) })
	if err := awaitTopic(ctx, admin, name, partitions); err != nil {
		t.Fatalf("topic %s: %v", name, err)
	}
	return name
}

// awaitTopic waits until every partition has a leader that answers.
func awaitTopic(ctx context.Context, admin *kadm.Client, name string, partitions int) error {
	for {
		ends, err := admin.ListEndOffsets(ctx, name)
		if err == nil {
			err = ends.Error()
		}
		if err == nil && len(ends[name]) == partitions {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// deleteTopic does not mind a broker that the test has ended.
func deleteTopic(addr, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RetryTimeout(2*time.Second))
	if err != nil {
		return
	}
	defer client.Close()
	_, _ = kadm.NewClient(client).DeleteTopics(ctx, name)
}
