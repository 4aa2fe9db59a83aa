package stream

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
)

// seen is a store that takes observations.
type seen struct {
	Store
	topics []string
}

func (s *seen) Observe(_ context.Context, all []sinkd.Observation) error {
	for _, o := range all {
		s.topics = append(s.topics, o.Topic)
	}
	return nil
}

// TestRefusedTopicHidesNoOther: the lag of one topic is known though another may
// not be described.
func TestRefusedTopicHidesNoOther(t *testing.T) {
	c := lab.Cluster(t, kfake.SeedTopics(1, "good"), kfake.SeedTopics(1, "bad"))
	f, store := newLiveFetcher(t, c), new(seen)
	b, err := newBrokers(&Kafka{Brokers: c.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	f.flow.brokers, f.flow.cfg.Store = b, store
	f.claims(sinkd.Partition{Topic: "good"})
	f.claims(sinkd.Partition{Topic: "bad"})
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "bad", Err: kerr.TopicAuthorizationFailed, Count: -1})
	if err := f.flow.sight(t.Context()); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("what is the matter is not told: %v", err)
	}
	if !slices.Equal(store.topics, []string{"good"}) {
		t.Errorf("observed are %q", store.topics)
	}
}
