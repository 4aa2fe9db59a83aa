package integration_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// told is what a metric, summed over the series with the fragments, has to be.
type told struct {
	name      string
	fragments string // separated by spaces
	low, high float64
}

// exactly is one value.
func exactly(n float64, name, fragments string) told { return told{name, fragments, n, n} }

// atLeast has no upper bound.
func atLeast(n float64, name, fragments string) told { return told{name, fragments, n, 1e18} }

// tells waits until all readings are as they have to be.
func (s *service) tells(within time.Duration, want ...told) {
	s.t.Helper()
	eventually(s.t, within, "the metrics do not tell it", func() error {
		var wrong []error
		for _, r := range want {
			got, err := s.tryMetric(s.t.Context(), r.name, strings.Fields(r.fragments)...)
			if err != nil {
				return err
			}
			if got < r.low || got > r.high {
				wrong = append(wrong, fmt.Errorf("%s{%s} is %v, want %v to %v", r.name, r.fragments, got, r.low, r.high))
			}
		}
		return errors.Join(wrong...)
	})
}

// What lands, what cannot, and what waits for a transaction to end.
func TestSeriesTellWhatLands(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	s := start(t, w.env())
	s.ready(30 * time.Second)
	began := float64(time.Now().Unix())
	w.produce(100, 2)
	w.produceBad([]string{`{"id": "none"}`, `no JSON`, `{"id": 1, "amount": 1e99}`}, 0)
	s.tells(30*time.Second,
		exactly(100, "sinkd_records_total", `outcome="written"`), exactly(3, "sinkd_records_total", `outcome="dead"`),
		exactly(100, "sinkd_rows_total", `operation="insert" table="public.events"`), exactly(100, "sinkd_rows_total", ""),
		atLeast(1000, "sinkd_written_bytes_total", "events"), atLeast(3000, "sinkd_consumed_bytes_total", w.topic),
		exactly(3, "sinkd_dead_letters_total", ""), atLeast(1, "sinkd_dead_letters_total", `stage="decode"`),
		exactly(3, "sinkd_dead_letters", w.topic),
		exactly(103, "sinkd_position_offset", ""), exactly(0, "sinkd_lag_records", ""), exactly(0, "sinkd_lag_seconds", ""),
		exactly(103, "sinkd_batch_records_sum", ""), atLeast(3000, "sinkd_batch_bytes_sum", ""),
		atLeast(1, "sinkd_batches_total", `outcome="committed"`), atLeast(1, "sinkd_end_to_end_delay_seconds_count", ""),
		atLeast(1, "sinkd_batch_duration_seconds_count", `stage="commit"`),
		atLeast(began, "sinkd_last_commit_timestamp_seconds", w.topic),
		exactly(1, "sinkd_pipeline_state", `"running"`), exactly(2, "sinkd_partitions", `"running"`),
		exactly(1, "sinkd_dependency_up", `"kafka"`), exactly(1, "sinkd_dependency_up", `"postgres"`),
		exactly(2, "sinkd_claims_total", `"made"`), atLeast(1, "sinkd_rebalances_total", `"assigned"`),
		exactly(0, "sinkd_incidents", ""), exactly(0, "sinkd_inflight_bytes", ""), exactly(256<<20, "sinkd_memory_limit_bytes", ""),
		exactly(1, "sinkd_pipeline_info", `delivery="exactly-once" mode="append" isolation="read_committed"`),
		exactly(103, "sinkd_end_offset", ""), exactly(0, "sinkd_log_start_offset", ""))
	var gone kadm.Offsets
	gone.AddOffset(w.topic, 1, 20, -1)
	_, err := w.admin().DeleteRecords(t.Context(), gone)
	try(t, err)
	s.tells(30*time.Second, exactly(20, "sinkd_log_start_offset", `partition="1"`), exactly(0, "sinkd_log_start_offset", `partition="0"`))
	p := newTransactor(w, "open")
	try(t, p.produce(t.Context(), 5, 0))
	s.tells(30*time.Second, atLeast(5, "sinkd_uncommitted_records", `partition="0"`), exactly(0, "sinkd_uncommitted_records", `partition="1"`),
		exactly(0, "sinkd_lag_records", ""))
	try(t, p.end(t.Context(), kgo.TryCommit))
	s.tells(30*time.Second, exactly(0, "sinkd_uncommitted_records", ""), exactly(105, "sinkd_records_total", `outcome="written"`))
}

// A partition that the brokers refuse.
func TestSeriesTellHalt(t *testing.T) {
	t.Parallel()
	w, c := newFakeWorld(t, 2)
	s := start(t, w.env())
	s.ready(30 * time.Second)
	w.produce(10, 2)
	s.tells(30*time.Second, exactly(10, "sinkd_position_offset", ""))
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: w.topic, Partitions: []int32{1}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	w.produce(10, 2)
	s.tells(40*time.Second,
		exactly(1, "sinkd_incidents", `"fetch_failed"`), exactly(1, "sinkd_incidents", ""),
		exactly(1, "sinkd_partitions", `"halted"`), exactly(1, "sinkd_partitions", `"running"`),
		exactly(1, "sinkd_pipeline_state", `"halted"`), exactly(0, "sinkd_pipeline_state", `"running"`),
		exactly(5, "sinkd_lag_records", `partition="1"`), exactly(0, "sinkd_lag_records", `partition="0"`),
		told{"sinkd_lag_seconds", `partition="1"`, 0.1, 60}, exactly(5, "sinkd_position_offset", `partition="1"`))
}

// Postgres, then Kafka, out of reach.
func TestSeriesTellOutages(t *testing.T) {
	t.Parallel()
	w, c := newFakeWorld(t, 2)
	e, proxy := w.proxied()
	s := start(t, e)
	s.ready(30 * time.Second)
	w.produce(10, 2)
	s.tells(30*time.Second, exactly(10, "sinkd_position_offset", ""), exactly(0, "sinkd_retries_total", ""))
	proxy.Refuse()
	proxy.CutAll()
	w.produce(10, 2)
	s.tells(30*time.Second,
		exactly(0, "sinkd_dependency_up", `"postgres"`), exactly(1, "sinkd_dependency_up", `"kafka"`),
		exactly(1, "sinkd_pipeline_state", `"retrying"`), atLeast(2, "sinkd_retries_total", `"transient"`),
		atLeast(2, "sinkd_batches_total", `"retried"`), exactly(10, "sinkd_lag_records", ""),
		atLeast(3, "sinkd_lag_seconds", ""), atLeast(1, "sinkd_lanes", `"waiting"`), atLeast(10*64, "sinkd_inflight_bytes", ""))
	try(t, proxy.Accept())
	s.tells(30*time.Second, exactly(1, "sinkd_dependency_up", `"postgres"`), exactly(1, "sinkd_pipeline_state", `"running"`),
		exactly(0, "sinkd_lag_seconds", ""), exactly(20, "sinkd_records_total", `"written"`))
	c.Close()
	s.tells(60*time.Second, exactly(0, "sinkd_dependency_up", `"kafka"`), exactly(1, "sinkd_dependency_up", `"postgres"`))
}

// A database that was restored from a backup: rows, ledger and positions go back
// together.
func TestSeriesTellRewind(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 1)
	s := start(t, w.env())
	s.ready(30 * time.Second)
	for range 2 { // two batches, of which the last is lost
		w.produce(50, 1)
		eventually(t, 30*time.Second, "not all of it has landed", w.behind)
	}
	s.tells(5*time.Second, exactly(0, "sinkd_rewinds_total", ""))
	w.exec(`WITH gone AS (DELETE FROM sinkd.batches WHERE from_offset >= 50 RETURNING from_offset),
		rows AS (DELETE FROM events WHERE kafka_offset >= 50)
		UPDATE sinkd.offsets SET next_offset = (SELECT min(from_offset) FROM gone)`)
	w.produce(50, 1)
	s.tells(30*time.Second, exactly(1, "sinkd_rewinds_total", ""), atLeast(1, "sinkd_claims_total", `"fenced"`),
		atLeast(1, "sinkd_batches_total", `"fenced"`), atLeast(1, "sinkd_retries_total", `"fenced"`))
	w.complete()
}

// A replica ends under load and another goes on in its place.
func TestSeriesTellHandover(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 4)
	a := start(t, w.env())
	a.ready(30 * time.Second)
	stop := w.feed(10, 4)
	b := start(t, w.env())
	balanced(t, 30*time.Second, 2, a, b)
	a.tells(10*time.Second, atLeast(2, "sinkd_rebalances_total", ""))
	b.tells(30*time.Second, atLeast(2, "sinkd_handover_duration_seconds_count", ""))
	try(t, a.Signal(syscall.SIGTERM))
	b.tells(30*time.Second, atLeast(4, "sinkd_handover_duration_seconds_count", ""),
		told{"sinkd_handover_duration_seconds_sum", "", 0.001, 60}, exactly(4, "sinkd_partitions", `"running"`))
	stop()
	w.complete()
	if n := a.exit(30 * time.Second); n != 0 {
		t.Errorf("exit code %d", n)
	}
}
