package integration_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd/integration/lab"
)

// outage is how long Postgres is away: a minute where SINKD_LAB_LONG is set.
func outage() time.Duration {
	if os.Getenv("SINKD_LAB_LONG") != "" {
		return time.Minute
	}
	return 20 * time.Second
}

// throughout asks for so long, and fails the test where there is an error.
func throughout(t testing.TB, d time.Duration, what string, ask func() error) {
	t.Helper()
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := ask(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		select {
		case <-tick.C:
		case <-end.C:
			return
		}
	}
}

// alive tells that the process runs and considers itself to be well.
func (s *service) alive() error {
	if s.Ended() {
		return errors.New("sinkd has ended")
	}
	resp, err := s.get(s.t.Context(), "/livez")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/livez answers %d", resp.StatusCode)
	}
	return nil
}

// assigned counts the partitions that the group gave to the service.
func (s *service) assigned() int {
	s.t.Helper()
	all, _ := s.status()["partitions"].([]any)
	return len(all)
}

// given counts how often the service has given partitions up, or lost them.
func (s *service) given() float64 {
	return s.metric("sinkd_rebalances_total", `event="revoked"`) + s.metric("sinkd_rebalances_total", `event="lost"`)
}

// generation gives the generation of the world's consumer group as the broker
// keeps it: each rebalance begins a new one.
func (w *world) generation() int32 {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	const topic = "__consumer_offsets"
	ends, err := w.admin().ListEndOffsets(ctx, topic)
	try(w.t, err)
	from, left := make(map[int32]kgo.Offset), make(map[int32]int64)
	for id, end := range ends[topic] {
		if end.Offset > 0 {
			from[id], left[id] = kgo.NewOffset().AtStart(), end.Offset
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	try(w.t, err)
	defer client.Close()
	generation := int32(-1)
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		try(w.t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if g, ok := groupGeneration(r, w.topic); ok {
				generation = g
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	if generation < 0 {
		w.t.Fatal("the broker knows nothing of the group")
	}
	return generation
}

// groupGeneration reads the generation of a group from a record in which the
// broker keeps the group.
func groupGeneration(r *kgo.Record, group string) (int32, bool) {
	var key kmsg.GroupMetadataKey
	if r.Attrs.IsControl() || key.ReadFrom(r.Key) != nil || key.Version != 2 || key.Group != group {
		return 0, false
	}
	var value kmsg.GroupMetadataValue
	return value.Generation, value.ReadFrom(r.Value) == nil
}

// TestPostgresAway takes the database away under load: nobody exits, nobody
// leaves the group, and all catch up by themselves when it is back.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(*lab.Proxy) (back func()){
		"refuses": func(p *lab.Proxy) func() {
			p.Refuse()
			p.CutAll()
			return func() { try(t, p.Accept()) }
		},
		"says nothing": func(p *lab.Proxy) func() {
			p.Freeze()
			return p.Thaw
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const partitions = 4
			w := newWorld(t, partitions)
			// Within the outage a member that sends no heartbeats is expelled.
			through, proxy := w.proxied("SINKD_KAFKA_SESSION_TIMEOUT", (outage() / 2).String())
			stop := w.feed(10, partitions)
			a, b := start(t, through), start(t, through)
			balanced(t, 30*time.Second, 2, a, b)
			w.advance(200)
			before := w.generation()

			back := away(proxy)
			throughout(t, outage(), "Postgres is away", func() error { return errors.Join(a.alive(), b.alive()) })
			back()
			for _, s := range []*service{a, b} {
				s.ready(30 * time.Second)
			}
			w.advance(200)
			stop()
			w.landed(30 * time.Second)
			if n := w.generation() - before; n > 2 {
				t.Errorf("%d rebalances while Postgres was away, want 2 at the most", n)
			}
		})
	}
}

// TestRebalanceWhilePostgresIsAway has a replica leave while nobody can claim
// anything: its partitions go to the other one, which gets its claims when
// Postgres is back, and does not rejoin for that.
func TestRebalanceWhilePostgresIsAway(t *testing.T) {
	t.Parallel()
	const partitions = 4
	w := newWorld(t, partitions)
	through, proxy := w.proxied("SINKD_DRAIN_TIMEOUT", "3s", "SINKD_KAFKA_SESSION_TIMEOUT", "45s")
	stop := w.feed(10, partitions)
	a, b := start(t, through), start(t, through)
	balanced(t, 30*time.Second, 2, a, b)
	w.advance(200)
	before, given := w.generation(), a.given()

	proxy.Refuse()
	proxy.CutAll()
	if code := b.term(8 * time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM without Postgres", code)
	}
	eventually(t, 10*time.Second, "the group was not left", func() error {
		if n := a.assigned(); n != partitions {
			return fmt.Errorf("%d partitions are assigned to the one that stayed", n)
		}
		return nil
	})
	throughout(t, outage(), "Postgres is away", a.alive)
	try(t, proxy.Accept())
	balanced(t, 30*time.Second, partitions, a)
	w.advance(200)
	stop()
	w.landed(30 * time.Second)
	if n := a.given() - given; n != 0 {
		t.Errorf("the replica that stayed has given partitions up %v times", n)
	}
	if n := w.generation() - before; n > 2 {
		t.Errorf("%d rebalances, want that of the replica that left, and one more at the most", n)
	}
}
