package stream

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd"
)

// answering is a store that only answers.
type answering struct {
	Store
	err error
}

func (a *answering) Ping(context.Context) error { return a.err }

// newTestPositions makes the positions of a group on a broker with topic t of
// three partitions, and a function that makes those of another process.
func newTestPositions(t *testing.T) (*groupPositions, func() *groupPositions) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "t"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	another := func() *groupPositions {
		cfg := Config{Kafka: Kafka{Brokers: c.ListenAddrs(), Group: "g"}, Store: &answering{}}
		b, err := newBrokers(&cfg.Kafka)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.close)
		return newGroupPositions(&cfg, b)
	}
	return another(), another
}

func partitionsOfT() []sinkd.Partition {
	return []sinkd.Partition{{Topic: "t"}, {Topic: "t", ID: 1}, {Topic: "t", ID: 2}}
}

func claimsOf(t *testing.T, g *groupPositions) []sinkd.Claim {
	t.Helper()
	claims, locked, err := g.Claim(t.Context(), partitionsOfT())
	if err != nil || len(locked) > 0 {
		t.Fatalf("%v, %d locked", err, len(locked))
	}
	return claims
}

func TestPinnedPositionsOutliveTheProcess(t *testing.T) {
	g, another := newTestPositions(t)
	if first, err := g.Register(t.Context(), "c"); !first || err != nil {
		t.Fatalf("first %v, %v", first, err)
	}
	topics, err := g.brokers.topics(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Pin(t.Context(), topics["t"], []int64{7, 0, 9}); err != nil {
		t.Fatal(err)
	}
	if err := g.Pin(t.Context(), topics["t"], []int64{1, 1, 1}); err != nil { // is pinned already
		t.Fatal(err)
	}
	next := another()
	if first, err := next.Register(t.Context(), "c"); first || err != nil {
		t.Fatalf("first %v, %v", first, err)
	}
	known, err := next.Topics(t.Context())
	if err != nil || known["t"] != topics["t"] {
		t.Errorf("known %+v, %v; want %+v", known["t"], err, topics["t"])
	}
	for i, want := range []int64{7, 0, 9} {
		if got := claimsOf(t, next)[i].Next; got != want {
			t.Errorf("partition %d begins at %d, want %d", i, got, want)
		}
	}
}

// A partition that was added while nobody looked is not covered by what is
// known, and so begins where its log does.
func TestAddedPartitionIsNotKnown(t *testing.T) {
	g, another := newTestPositions(t)
	now, err := g.brokers.topics(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	smaller := now["t"]
	smaller.Partitions = 2
	if err := g.Pin(t.Context(), smaller, []int64{5, 5}); err != nil {
		t.Fatal(err)
	}
	next := another()
	known, err := next.Topics(t.Context())
	if err != nil || known["t"].Partitions != 2 {
		t.Fatalf("%d partitions are known, %v", known["t"].Partitions, err)
	}
	if _, _, err := next.Claim(t.Context(), partitionsOfT()); err == nil {
		t.Error("a partition without a beginning was claimed")
	}
	if err := next.Pin(t.Context(), now["t"], []int64{0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if c := claimsOf(t, next); c[1].Next != 5 || c[2].Next != 0 {
		t.Errorf("positions %d and %d, want 5 and 0", c[1].Next, c[2].Next)
	}
}

func TestHaltsAreKeptUntilSomebodyWentOn(t *testing.T) {
	g, _ := newTestPositions(t)
	now, err := g.brokers.topics(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Pin(t.Context(), now["t"], []int64{5, 5, 5}); err != nil {
		t.Fatal(err)
	}
	old := claimsOf(t, g)
	fresh := claimsOf(t, g)
	bad := sinkd.Incident{Kind: sinkd.BadRecord}
	if ok, _ := g.Halt(t.Context(), &old[0], 5, bad); ok {
		t.Error("a claim that has ended halted the partition")
	}
	if ok, _ := g.Halt(t.Context(), &fresh[0], 5, bad); !ok {
		t.Error("the claim that holds did not")
	}
	if c := claimsOf(t, g); c[0].Halted != sinkd.BadRecord || c[1].Halted != "" {
		t.Errorf("halted %q and %q", c[0].Halted, c[1].Halted)
	}
	if h := g.halted(partitionsOfT()[0], 6); h != "" {
		t.Errorf("halted %q beyond the position", h)
	}
}

func TestNobodyClaimsWithoutTheDatabase(t *testing.T) {
	g, _ := newTestPositions(t)
	away := &sinkd.Error{Class: sinkd.Transient, Err: errors.New("away")}
	g.Pinger = &answering{err: away}
	_, registered := g.Register(t.Context(), "c")
	_, _, claimed := g.Claim(t.Context(), partitionsOfT())
	if !errors.Is(registered, away) || !errors.Is(claimed, away) {
		t.Errorf("%v, %v", registered, claimed)
	}
}

// What is committed is what the partition's last claim has landed, and nothing
// of a partition that is another's.
func TestOffsetsOfLostClaimsAreNotCommitted(t *testing.T) {
	f := &Flow{
		cfg: Config{Idempotent: true}, log: slog.New(slog.DiscardHandler), metrics: NewMetrics(prometheus.NewRegistry(), "p"),
		assigned: assignment{parts: map[sinkd.Partition]*part{}}, budget: newBudget(1 << 30),
	}
	f.cfg.NewEncoder = func() Encoder { return blank{} }
	f.lanes = []*lane{newLane(f, 0)}
	f.health, f.caught = newHealth(f), newCaughtUp(f)
	g, _ := newTestPositions(t)
	now, err := g.brokers.topics(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Pin(t.Context(), now["t"], []int64{0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	old, fresh := claimsOf(t, g), claimsOf(t, g)
	parts := f.assigned.add(partitionsOfT()[:2])
	f.assigned.open(parts[0], &claimed{claim: &fresh[0]}, f.lanes)
	f.assigned.open(parts[1], &claimed{claim: &fresh[1]}, f.lanes)
	f.assigned.close(&fresh[1], halted)
	for i := range fresh {
		f.offsets.mark(&fresh[i], kgo.EpochOffset{Offset: 10})
		f.offsets.mark(&old[i], kgo.EpochOffset{Offset: 20})
	}
	got := f.offsets.take(f.assigned.latest)
	f.offsets.forget(f.assigned.latest)
	if len(got) != 2 || got[tenancyOf(&fresh[0])].Offset != 10 || got[tenancyOf(&fresh[1])].Offset != 10 {
		t.Errorf("to commit: %v; want what the latest claims of partitions 0 and 1 landed", got)
	}
	if len(f.offsets.pending) != 0 {
		t.Errorf("%d offsets are kept that can never be committed", len(f.offsets.pending))
	}
	f.offsets.mark(&fresh[0], kgo.EpochOffset{Offset: 12})
	f.offsets.giveBack(got)
	again := f.offsets.take(f.assigned.latest)
	if again[tenancyOf(&fresh[0])].Offset != 12 || again[tenancyOf(&fresh[1])].Offset != 10 {
		t.Errorf("given back: %v; want 12 and 10", again)
	}
}
