package stream

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
)

// TestFetchIsOfTheTopicThatIsMeant: two claims by one name may be of two topics,
// the one checked before the topic was made anew.
func TestFetchIsOfTheTopicThatIsMeant(t *testing.T) {
	req := new(Kafka).fetchRequest([]spot{
		{Partition: sinkd.Partition{Topic: "t", ID: 0}, topicID: [16]byte{1}},
		{Partition: sinkd.Partition{Topic: "t", ID: 1}, topicID: [16]byte{2}},
		{Partition: sinkd.Partition{Topic: "t", ID: 2}, topicID: [16]byte{1}},
	}, extent{})
	if len(req.Topics) != 2 || len(req.Topics[0].Partitions) != 2 || req.Topics[1].TopicID[0] != 2 {
		t.Errorf("asked for %+v", req.Topics)
	}
}

// TestTopicWithoutIDIsReadByName: brokers of a cluster that is being upgraded take
// fetches by id, and have no ids.
func TestTopicWithoutIDIsReadByName(t *testing.T) {
	c := lab.Cluster(t, kfake.SeedTopics(1, "t"))
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.DefaultProduceTopic("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), kgo.StringRecord("v")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	versions := make(chan int16, 2)
	c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		versions <- req.GetVersion()
		return nil, nil, false
	})
	p := sinkd.Partition{Topic: "t"}
	for _, id := range [][16]byte{{}, c.TopicInfo("t").TopicID} {
		r := &reading{kafka: &Kafka{}, log: newLogReader(&Kafka{}), spot: spot{Partition: p, topicID: id}}
		got, err := r.fetch(t.Context(), client.Broker(int(c.LeaderFor("t", 0))), 0, besideBytes)
		if err != nil || got.records.Len() != 1 {
			t.Errorf("%d records by id %x: %v", got.records.Len(), id, err)
		}
	}
	if named, byID := <-versions, <-versions; named > 12 || byID <= 12 {
		t.Errorf("asked by versions %d without an id, %d by id", named, byID)
	}
}
