package integration_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// handovers collects how long partitions were nobody's: from the release by one
// replica to the next one's first commit, by the database's clock.
type handovers struct {
	mu   sync.Mutex
	took map[[2]float64]time.Duration // by partition and time of the release
}

// handoversSQL sees the last release of each partition only, so it is asked
// again and again.
const handoversSQL = `
SELECT ARRAY[p.partition, extract(epoch FROM p.released_at), extract(epoch FROM min(b.committed_at) - p.released_at)]::float8[]
  FROM sinkd.partitions p JOIN sinkd.batches b USING (pipeline, topic, partition)
 WHERE b.committed_at > p.released_at
 GROUP BY p.partition, p.released_at`

// watch collects until stop is called.
func (h *handovers) watch(w *world) (stop func()) {
	return w.keep(func(ctx context.Context) error {
		pause(ctx, 200*time.Millisecond)
		rows, err := ask[[]float64](w, handoversSQL)
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, r := range rows {
			h.took[[2]float64{r[0], r[1]}] = time.Duration(r[2] * float64(time.Second))
		}
		return err
	})
}

// sorted gives them from the shortest to the longest.
func (h *handovers) sorted() (list []time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.took {
		list = append(list, d)
	}
	slices.Sort(list)
	return list
}

// TestRollingRestart ends four replicas by SIGTERM under load, one after the
// other, and starts each again when it has ended.
func TestRollingRestart(t *testing.T) {
	if os.Getenv("SINKD_LAB_LONG") == "" {
		t.Skip("SKIPPED: it measures, so it wants the machine for itself; make rolling runs it")
	}
	const partitions, replicas = 64, 4
	w := newWorld(t, partitions)
	e := w.env().with("SINKD_KAFKA_SESSION_TIMEOUT", "45s", "SINKD_DEAD_LETTER_LIMIT", "off")
	services := make([]*service, replicas)
	for i := range services {
		services[i] = start(t, e)
	}
	stop := w.feed(partitions, partitions)
	balanced(t, 2*time.Minute, partitions/replicas, services...)
	w.allAdvance()
	h := &handovers{took: make(map[[2]float64]time.Duration)}
	unwatch := h.watch(w)
	began := time.Now()
	for i, s := range services {
		if code := s.term(40 * time.Second); code != 0 {
			t.Errorf("replica %d: exit code %d after SIGTERM", i, code)
		}
		services[i] = start(t, e)
		balanced(t, time.Minute, partitions/replicas, services...)
		w.allAdvance()
	}
	took := time.Since(began)
	w.advance(500)
	unwatch()
	stop()
	w.landed(2 * time.Minute)
	tellHandovers(t, h.sorted(), took, int64(len(w.sent)))
	for i, s := range services {
		if n := s.metric("sinkd_handover_duration_seconds_count"); n == 0 {
			t.Errorf("replica %d has no hand-over in sinkd_handover_duration_seconds", i)
		}
	}
}

// allAdvance waits until each partition has moved on: as minReadySeconds of the
// chart, it keeps one replica's hand-overs apart from the next one's.
func (w *world) allAdvance() {
	w.t.Helper()
	before := w.nexts()
	eventually(w.t, time.Minute, "a partition stands still", func() error {
		for id, next := range w.nexts() {
			if next <= before[id] {
				return fmt.Errorf("partition %d is at %d", id, next)
			}
		}
		return nil
	})
}

// tellHandovers prints the figures, and wants 99 of 100 hand-overs within two seconds.
func tellHandovers(t *testing.T, list []time.Duration, took time.Duration, records int64) {
	t.Helper()
	if len(list) == 0 {
		t.Fatal("no hand-over was seen")
	}
	quantile := func(q float64) time.Duration { return list[int(q*float64(len(list)-1)+0.5)] }
	line := fmt.Sprintf("%d hand-overs in %s, %d records: p50 %s, p90 %s, p99 %s, max %s", len(list), took.Round(time.Millisecond),
		records, quantile(0.5), quantile(0.9), quantile(0.99), list[len(list)-1])
	t.Log(line)
	if quantile(0.99) >= 2*time.Second {
		t.Error("p99 of the hand-overs is not below 2 s: " + line)
	}
}
