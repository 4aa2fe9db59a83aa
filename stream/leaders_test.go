package stream

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
)

// newLiveFetcher makes a fetcher whose flow has claims, health and, where there is
// one, a cluster.
func newLiveFetcher(t *testing.T, c *kfake.Cluster) *fetcher {
	t.Helper()
	f := newTestFetcher(0)
	fl := f.flow
	fl.log, fl.metrics = slog.New(slog.DiscardHandler), NewMetrics(prometheus.NewRegistry(), "p")
	fl.assigned = assignment{parts: make(map[sinkd.Partition]*part)}
	fl.claimer, fl.health, fl.fetcher, fl.caught = newClaimer(fl), newHealth(fl), f, newCaughtUp(fl)
	if c != nil {
		client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.MetadataMinAge(10*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		fl.client = client
	}
	return f
}

// claims opens a queue of a partition of a topic, whatever its id.
func (f *fetcher) claims(p sinkd.Partition) *queue {
	pt := f.flow.assigned.add([]sinkd.Partition{p})[0]
	return f.flow.assigned.open(pt, &claimed{claim: &sinkd.Claim{Partition: p, Epoch: -1}}, f.flow.lanes)
}

// holds tells whether the claim of a queue has not been ended.
func (f *fetcher) holds(q *queue) bool {
	for _, other := range f.flow.assigned.queues() {
		if other == q {
			return true
		}
	}
	return false
}

// outage gives what keeps failing of Kafka.
func (f *fetcher) outage() error {
	if _, o, failing := f.flow.health.failingNow(); failing {
		return o.err
	}
	return nil
}

// TestTopicThatIsRefusedHidesNoOther: who leads a topic is known, whatever is the
// matter with another one; of that, what was known still holds, and health tells.
func TestTopicThatIsRefusedHidesNoOther(t *testing.T) {
	c := lab.Cluster(t, kfake.SeedTopics(1, "good"), kfake.SeedTopics(1, "bad"))
	f := newLiveFetcher(t, c)
	good, bad := sinkd.Partition{Topic: "good"}, sinkd.Partition{Topic: "bad"}
	f.claims(good)
	q := f.claims(bad)
	f.leaders.at[bad] = leader{broker: 7}
	refused := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "bad", Err: kerr.TopicAuthorizationFailed, Count: -1})
	for range 2 * unknownLimit {
		f.lead(t.Context())
	}
	if _, ok := f.leaders.of(good, [16]byte{}); !ok {
		t.Error("the leader of the other topic is not known")
	}
	if at, _ := f.leaders.of(bad, [16]byte{}); at.broker != 7 || !f.holds(q) {
		t.Error("what was known is forgotten")
	}
	if err := f.outage(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("health tells of %v", err)
	}
	refused.Remove()
	f.lead(t.Context())
	if err := f.outage(); err != nil {
		t.Errorf("health still tells of %v", err)
	}
}

// TestPartitionThatIsGoneEndsItsClaim: brokers say nothing of a partition that
// is no more, so nobody would answer for it. It is asked for with growing pauses.
func TestPartitionThatIsGoneEndsItsClaim(t *testing.T) {
	for name, p := range map[string]sinkd.Partition{
		"topic": {Topic: "gone"}, "partition": {Topic: "small", ID: 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newLiveFetcher(t, lab.Cluster(t, kfake.SeedTopics(1, "small")))
			gone, kept := f.claims(p), f.claims(sinkd.Partition{Topic: "small"})
			for range unknownLimit {
				f.lead(t.Context())
			}
			if !f.holds(gone) {
				t.Error("the claim is ended though the brokers may only not know it yet")
			}
			if f.outage() == nil {
				t.Error("health does not tell of it")
			}
			if pause := time.Until(f.leaders.due); pause < slowInterval/2-100*time.Millisecond {
				t.Errorf("the brokers are asked again in %s", pause)
			}
			gone.bring(records(p.ID, 0, 1)...)
			if f.lead(t.Context()); !f.holds(gone) {
				t.Error("the claim is ended though records that were read have not landed")
			}
			gone.landed = gone.tail
			f.lead(t.Context())
			if f.holds(gone) || !f.holds(kept) {
				t.Errorf("the claim is held: %v, that of another: %v", f.holds(gone), f.holds(kept))
			}
		})
	}
}

// TestPartitionWithoutLeaderKeepsItsClaim: a partition that nobody leads is told
// of and waited for.
func TestPartitionWithoutLeaderKeepsItsClaim(t *testing.T) {
	c := lab.Cluster(t, kfake.SeedTopics(1, "t"))
	f := newLiveFetcher(t, c)
	q := f.claims(sinkd.Partition{Topic: "t"})
	away := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "t", Partitions: []int32{0}, Err: kerr.LeaderNotAvailable, Count: -1})
	for range 2 * unknownLimit {
		f.lead(t.Context())
	}
	if !f.holds(q) || f.outage() == nil {
		t.Errorf("the claim is held: %v, health tells of %v", f.holds(q), f.outage())
	}
	if reads := f.hungry(time.Now()); len(reads) != 0 {
		t.Errorf("%v are asked", reads)
	}
	away.Remove()
	f.lead(t.Context())
	if reads := f.hungry(time.Now()); len(reads) != 1 || f.outage() != nil {
		t.Errorf("%v are asked, health tells of %v", reads, f.outage())
	}
}

// TestTopicOfAnotherIDIsNotRead: brokers that are asked by name would give the
// records of a topic that was made anew.
func TestTopicOfAnotherIDIsNotRead(t *testing.T) {
	f := newLiveFetcher(t, lab.Cluster(t, kfake.SeedTopics(1, "t")))
	q := f.claims(sinkd.Partition{Topic: "t"})
	q.topicID[0] = 1
	f.leaders.at[q.claim.Partition] = leader{broker: 7, topicID: [16]byte{2}}
	if reads := f.hungry(time.Now()); len(reads) != 0 {
		t.Error("it is asked for")
	}
	for range unknownLimit + 1 {
		f.lead(t.Context())
	}
	if f.holds(q) {
		t.Error("its claim is not ended")
	}
}

// TestLeaderEpochThatWentBack: a broker that lags behind is not believed, but
// where a cluster came back from a snapshot, all tell of older epochs.
func TestLeaderEpochThatWentBack(t *testing.T) {
	f := newLiveFetcher(t, lab.Cluster(t, kfake.SeedTopics(1, "t")))
	q := f.claims(sinkd.Partition{Topic: "t"})
	f.lead(t.Context())
	now := f.leaders.at[q.claim.Partition]
	gone := leader{broker: 99, epoch: now.epoch + 3, topicID: now.topicID}
	f.leaders.at[q.claim.Partition] = gone
	for range olderLimit {
		f.lead(t.Context())
		if at, _ := f.leaders.of(q.claim.Partition, q.topicID); at.broker != 99 {
			t.Fatal("an older epoch is believed at once")
		}
	}
	f.lead(t.Context())
	at, _ := f.leaders.of(q.claim.Partition, q.topicID)
	if at != now {
		t.Errorf("a broker that is no more is asked for ever: %+v", at)
	}
	r := read{epoch: now.epoch, cursor: &cursor{checked: gone.epoch}}
	r.leaderEpoch = at.epoch
	if !r.doubtful() {
		t.Error("nobody looks whether the log went back as well")
	}
}

// TestOneBrokerOfSeveralIsAway: that others answer does not end it, as long as
// something is read from the one.
func TestOneBrokerOfSeveralIsAway(t *testing.T) {
	f := newLiveFetcher(t, nil)
	h := f.flow.health
	h.unanswered(1, errors.New("closed"))
	h.gave(2)
	h.up(kafka)
	h.led(nil, map[int32]bool{1: true, 2: true})
	if f.outage() == nil {
		t.Error("another broker ended it")
	}
	h.led(nil, map[int32]bool{2: true})
	if f.outage() != nil {
		t.Error("a broker that leads nothing any more is told of")
	}
	h.unanswered(1, errors.New("closed"))
	h.gave(1)
	if f.outage() != nil {
		t.Error("it answers, and is told of")
	}
}
