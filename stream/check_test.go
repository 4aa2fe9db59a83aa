package stream

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
)

// pinned is a store that knows a topic, and takes halts.
type pinned struct {
	halts
	topic sinkd.Topic
}

func (p *pinned) Topics(context.Context) (map[string]sinkd.Topic, error) {
	return map[string]sinkd.Topic{p.topic.Name: p.topic}, nil
}

// TestClaimOfAPartitionThatIsGone: a topic that was made anew with fewer partitions
// halts those that are missing as well; where it is the same one, that is said.
func TestClaimOfAPartitionThatIsGone(t *testing.T) {
	c := lab.Cluster(t, kfake.SeedTopics(1, "t"))
	now := uuid.UUID(c.TopicInfo("t").TopicID)
	for name, id := range map[string]uuid.UUID{"same": now, "another": uuid.New()} {
		t.Run(name, func(t *testing.T) {
			f := newLiveFetcher(t, c)
			b, err := newBrokers(&Kafka{Brokers: c.ListenAddrs()})
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			cluster, err := b.cluster(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			store := &pinned{topic: sinkd.Topic{Name: "t", ID: id, Cluster: cluster, Partitions: 2}}
			f.flow.brokers, f.flow.cfg.Store = b, store
			p := sinkd.Partition{Topic: "t", ID: 1}
			w := &wish{part: f.flow.assigned.add([]sinkd.Partition{p})[0]}
			f.flow.claimer.check(t.Context(), map[*wish]*sinkd.Claim{w: {Partition: p}})
			if id == now && (len(store.kinds) != 0 || !errors.Is(f.outage(), errNoPartition)) {
				t.Errorf("halted for %v, health tells of %v", store.kinds, f.outage())
			}
			if id != now && !slices.Equal(store.kinds, []string{sinkd.TopicRecreated}) {
				t.Errorf("halted for %v, health tells of %v", store.kinds, f.outage())
			}
		})
	}
}
