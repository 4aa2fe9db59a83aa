package integration_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sinkd/sinkd/integration/lab"
)

// holds gives the partitions that a service works on.
func (s *service) holds() (running map[int32]bool, err error) {
	resp, err := s.get(s.t.Context(), "/api/status")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var status struct {
		Partitions []struct {
			Partition int32  `json:"partition"`
			State     string `json:"state"`
		} `json:"partitions"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		return nil, err
	}
	running = make(map[int32]bool)
	for _, p := range status.Partitions {
		if p.State == "running" {
			running[p.Partition] = true
		}
	}
	return running, nil
}

// balanced waits until each of the services works on so many partitions.
func balanced(t *testing.T, within time.Duration, each int, services ...*service) {
	t.Helper()
	eventually(t, within, "the partitions are not where they belong", func() error {
		for _, s := range services {
			held, err := s.holds()
			if err != nil {
				return err
			}
			if len(held) != each {
				return fmt.Errorf("pid %d works on %d partitions, want %d", s.Pid(), len(held), each)
			}
		}
		return nil
	})
}

// TestSpareReplicaIsReady: one without partitions takes over when it is needed.
func TestSpareReplicaIsReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	a := start(t, w.env())
	balanced(t, 30*time.Second, 1, a)
	b := start(t, w.env())
	b.ready(30 * time.Second)
	balanced(t, 30*time.Second, 0, b)
	if code := a.term(30 * time.Second); code != 0 {
		t.Errorf("exit %d", code)
	}
	balanced(t, 30*time.Second, 1, b)
	b.ready(30 * time.Second)
}

// writers counts the processes that have landed something.
func (w *world) writers() int64 {
	w.t.Helper()
	return query[int64](w, `SELECT count(DISTINCT writer) FROM sinkd.batches`)[0]
}

// TestReplicas goes from one replica to three and back to one under load: one
// leaves in order, one is killed.
func TestReplicas(t *testing.T) {
	t.Parallel()
	const partitions = 6
	w := newWorld(t, partitions)
	stop := w.feed(10, partitions)
	a := start(t, w.env())
	balanced(t, 30*time.Second, 6, a)
	// Its session would last for so long that a quick hand-over shows that it
	// left the group.
	b := start(t, w.env().with("SINKD_KAFKA_SESSION_TIMEOUT", "45s"))
	c := start(t, w.env())
	balanced(t, 30*time.Second, 2, a, b, c)
	w.advance(200)
	eventually(t, 30*time.Second, "not all replicas have written", func() error {
		if n := w.writers(); n < 3 {
			return fmt.Errorf("%d writers", n)
		}
		return nil
	})

	if code := b.term(20 * time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	balanced(t, 15*time.Second, 3, a, c)
	if n := query[int64](w, `SELECT count(*) FROM sinkd.partitions WHERE released_at IS NOT NULL`)[0]; n == 0 {
		t.Error("no partition was noted as released")
	}
	try(t, c.Kill())
	balanced(t, 16*time.Second, 6, a)
	w.advance(200)
	stop()
	w.landed(30 * time.Second)
}

// TestKillsUnderLoad kills replicas at random moments and starts them again.
func TestKillsUnderLoad(t *testing.T) {
	t.Parallel()
	const partitions = 4
	w := newWorld(t, partitions)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	stop := w.feed(10, partitions)
	// A short session, so that there are many hand-overs.
	e := w.env().with("SINKD_KAFKA_SESSION_TIMEOUT", "2s")
	replicas := []*service{start(t, e), start(t, e)}
	replicas[0].ready(30 * time.Second)
	for range 6 {
		w.advance(random.Int64N(300))
		victim := random.IntN(len(replicas))
		try(t, replicas[victim].Kill())
		replicas[victim] = start(t, e)
	}
	w.advance(300)
	stop()
	w.landed(time.Minute)
}

// TestStoppedReplica stops one of two replicas for good: the other has its
// partitions within the session timeout and 10 s, also where the first one's
// transaction is stalled in the middle of a COPY, with the position rows
// locked. Much later it wakes up.
func TestStoppedReplica(t *testing.T) {
	t.Parallel()
	for name, stall := range map[string]bool{"between transactions": false, "in a COPY": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const partitions = 4
			w := newWorld(t, partitions)
			through, proxy := w.proxied()
			stop := w.feed(10, partitions)
			a, b := start(t, through), start(t, w.env())
			balanced(t, 30*time.Second, 2, a, b)
			var stalled *lab.Fault
			if stall {
				stalled = proxy.StallInCopy(1, 1)
				strikes(t, stalled)
			}
			try(t, a.Pause())
			balanced(t, 16*time.Second, partitions, b) // 6 s, and 10
			before := w.nexts()
			eventually(t, 10*time.Second, "a partition stands still", func() error {
				for id, next := range w.nexts() {
					if next <= before[id] {
						return fmt.Errorf("partition %d is at %d", id, next)
					}
				}
				return nil
			})

			try(t, a.Resume())
			if stall {
				stalled.Release()
			}
			balanced(t, 30*time.Second, 2, a, b)
			w.advance(200)
			stop()
			w.landed(30 * time.Second)
		})
	}
}

// TestZombie stops a replica with a batch on its way to Postgres, for longer
// than its session lasts. When it wakes up the batch has landed from elsewhere,
// and it has to find that out.
func TestZombie(t *testing.T) {
	t.Parallel()
	const partitions = 2
	w := newWorld(t, partitions)
	through, proxy := w.proxied("SINKD_LANES", "1")
	a := start(t, through)
	balanced(t, 30*time.Second, partitions, a)
	w.produce(100, partitions)
	w.landed(30 * time.Second)

	stalled := proxy.StallBefore("BEGIN", 1) // nothing of the transaction is known to the server
	w.produce(100, partitions)
	strikes(t, stalled)
	try(t, a.Pause())
	b := start(t, w.env())
	balanced(t, 30*time.Second, partitions, b)
	w.landed(30 * time.Second)

	stalled.Release()
	try(t, a.Resume())
	eventually(t, 30*time.Second, "the zombie was not fenced", func() error {
		if n := a.metric("sinkd_batches_total", `outcome="fenced"`); n == 0 {
			return fmt.Errorf("%v batches fenced", n)
		}
		return nil
	})
	balanced(t, 30*time.Second, 1, a, b)
	w.produce(100, partitions)
	w.landed(30 * time.Second)
	for _, s := range []*service{a, b} {
		if code := s.term(20 * time.Second); code != 0 {
			t.Errorf("exit code %d after SIGTERM", code)
		}
	}
}
