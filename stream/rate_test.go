package stream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sinkd/sinkd"
)

// TestRateIsCapped takes batches whenever they are due, from partitions that
// always have more, and counts.
func TestRateIsCapped(t *testing.T) {
	for _, rate := range []int{1, 7, 100, 3000} {
		synctest.Test(t, func(t *testing.T) {
			l := newTestLane(50000)
			l.flow.cfg.MaxRate = rate
			first := l.with(0, 40*rate)
			began := time.Now()
			taken := map[int32]int{}
			for time.Since(began) < 10*time.Second {
				if len(l.queues) == 1 && time.Since(began) > 5*time.Second {
					l.with(1, 40*rate)
				}
				due, at := l.due(time.Now())
				if !due {
					time.Sleep(time.Until(at))
					continue
				}
				fl := l.cut()
				if fl == nil {
					t.Fatal("a batch was due, and there was none")
				}
				for _, r := range fl.batch.Ranges {
					taken[r.Claim.ID] += r.Records.Len()
					if n := r.Records.Len(); n > rate {
						t.Fatalf("rate %d: %d records at once", rate, n)
					}
				}
				l.finish(fl)
				if most := rate + int(time.Since(began).Seconds()*float64(rate)) + 1; taken[0] > most {
					t.Fatalf("rate %d: %d records after %s", rate, taken[0], time.Since(began))
				}
			}
			for id, least := range map[int32]int{0: 10*rate - 1, 1: 4*rate - 1} {
				if taken[id] < least {
					t.Errorf("rate %d: partition %d gave %d records, want %d and more", rate, id, taken[id], least)
				}
			}
			if !first.glut() {
				t.Error("reading goes on for a queue that has more than it may land")
			}
		})
	}
}

// TestRateDoesNotGather: a quiet time allows no more than a second's worth.
func TestRateDoesNotGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLane(50000)
		l.flow.cfg.MaxRate = 10
		q := l.with(0, 0)
		time.Sleep(time.Minute)
		q.bring(records(0, 0, 100)...)
		if n := l.cut().batch.Records(); n != 10 {
			t.Errorf("%d records after a quiet minute, want 10", n)
		}
	})
}

// TestCappedQueueDoesNotSateItsLane: what may not be taken yet keeps nobody
// from reading for the others.
func TestCappedQueueDoesNotSateItsLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLane(100)
		l.flow.cfg.MaxRate = 10
		l.with(0, 1000)
		other := l.with(1, 0)
		if reads, _ := l.hungry(time.Now()); len(reads) != 1 || reads[0].queue != other {
			t.Error("a lane is sated by records that it may not land")
		}
		l.drop(other)
		l.draining = true
		l.finish(l.cut())
		if due, _ := l.due(time.Now()); due {
			t.Error("a drain waits for a capped queue")
		}
	})
}

// TestCapDoesNotMakeBatchesSmall: where all that is wanted is queued, a capped
// queue still waits for the interval, not for each of its tokens.
func TestCapDoesNotMakeBatchesSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTestLane(50000)
		l.flow.cfg.MaxRate, l.flow.cfg.UntilCaughtUp = 100, true
		q := l.with(0, 1000)
		l.flow.caught = &caughtUp{targets: map[sinkd.Partition]int64{q.claim.Partition: 1000}}
		batches := 0
		for began := time.Now(); time.Since(began) < 5*time.Second; {
			due, at := l.due(time.Now())
			if !due {
				time.Sleep(time.Until(at))
				continue
			}
			l.finish(l.cut())
			batches++
		}
		if batches > 30 {
			t.Errorf("%d batches in 5s, want one every 200ms", batches)
		}
	})
}
