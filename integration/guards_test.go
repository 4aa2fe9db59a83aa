package integration_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Each test of this file makes the one situation that a guard of the protocol
// is there for. TestNegativeControls takes the guards out.

// What was read before a fence lies beyond the position that the next claim
// reads. The queue that holds it must not become the next claim's.
func TestQueueBelongsToOneClaim(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 1)
	s := start(t, w.env().with("SINKD_LANES", "1", "SINKD_BATCH_MAX_RECORDS", "100"))
	s.ready(30 * time.Second)

	tx := w.begin()
	w.txExec(tx, `SELECT FROM sinkd.offsets FOR UPDATE`)
	w.produce(100, 1) // a batch that waits for the row
	eventually(t, time.Minute, "no session waits for the position", func() error {
		if query[int](w, `SELECT count(*) FROM pg_stat_activity
			WHERE wait_event_type = 'Lock' AND datname = current_database()`)[0] == 0 {
			return errors.New("none")
		}
		return nil
	})
	w.produce(1000, 1) // encoded, or in the queue
	eventually(t, time.Minute, "no record is queued", func() error { return s.queued(500) })
	w.txExec(tx, `UPDATE sinkd.offsets SET claim = gen_random_uuid()`)
	try(t, tx.Commit(t.Context()))
	w.complete()
	if n := s.metric("sinkd_claims_total", `outcome="fenced"`); n == 0 {
		t.Error("the claim was not fenced")
	}
}

// queued tells whether the lanes hold so many records that no batch has taken.
func (s *service) queued(n float64) error {
	s.t.Helper()
	var sum float64
	lanes, _ := s.status()["lanes"].([]any)
	for _, l := range lanes {
		lane, _ := l.(map[string]any)
		queued, _ := lane["queued_records"].(float64)
		sum += queued
	}
	if sum < n {
		return fmt.Errorf("%v records in the queues", sum)
	}
	return nil
}

// begin opens a transaction on a connection of its own.
func (w *world) begin() pgx.Tx {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.url)
	try(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close(w.t.Context()) })
	tx, err := conn.Begin(w.t.Context())
	try(w.t, err)
	return tx
}

func (w *world) txExec(tx pgx.Tx, sql string) {
	w.t.Helper()
	_, err := tx.Exec(w.t.Context(), sql)
	try(w.t, err)
}

// A pipeline that begins at the end of the log is killed before its first
// batch. What is produced while it is down belongs to it.
func TestStartIsPinned(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	w.produce(50, 2)
	w.forget()
	e := w.env().with("SINKD_START", "latest")
	s := start(t, e)
	s.ready(30 * time.Second)
	try(t, s.Kill())
	w.produce(100, 2)
	start(t, e).ready(60 * time.Second)
	w.produce(100, 2)
	w.complete()
}

// A topic that is deleted and made anew while the service is down has the same
// name, and offsets that mean other records.
func TestRecreatedTopicIsRefusedAtTheClaim(t *testing.T) {
	t.Parallel()
	w, c := newFakeWorld(t, 1)
	w.produce(100, 1)
	if code := start(t, w.env(), "run", "--until-caught-up").exit(60 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	w.exact()
	try(t, c.DeleteTopic(w.topic))
	try(t, c.CreateTopic(w.topic, 1, nil))
	w.strange(200)
	if code := start(t, w.env(), "run", "--until-caught-up").exit(60 * time.Second); code != 1 {
		t.Errorf("exit code %d of a run with a halted partition, want 1", code)
	}
	w.exact()
	got := query[string](w, `SELECT next_offset || ' ' || coalesce(halted, 'not halted') FROM sinkd.offsets`)[0]
	if want := "100 topic_recreated"; got != want {
		t.Errorf("position %s, want %s", got, want)
	}
}

// strange produces events that are not to land, by a client that has not seen
// the topic before.
func (w *world) strange(n int) {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers), kgo.DefaultProduceTopic(w.topic))
	try(w.t, err)
	defer client.Close()
	recs := make([]*kgo.Record, n)
	for i := range recs {
		recs[i] = w.event(int64(1_000_000+i), 0)
	}
	try(w.t, client.ProduceSync(w.t.Context(), recs...).FirstErr())
}

// After an election the new leader's log ends below the position. What is produced
// now takes the offsets of records that have landed.
func TestTruncatedLogHalts(t *testing.T) {
	t.Parallel()
	w, c := newFakeWorld(t, 2)
	start(t, w.env()).ready(30 * time.Second)
	w.produce(200, 2)
	eventually(t, 30*time.Second, "not all of it has landed", w.behind)
	c.ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return truncated(req.(*kmsg.OffsetForLeaderEpochRequest), 40), nil, true
	})
	try(t, c.MoveTopicPartition(w.topic, 1, c.LeaderFor(w.topic, 1))) // a new epoch
	w.produce(100, 2)
	w.wantIncidents(15*time.Second, "data_lost 1")
	w.produce(50, 1)
	eventually(t, 30*time.Second, "the other partition does not go on", func() error {
		got := query[string](w, `SELECT string_agg(partition || ' ' || next_offset, ', ' ORDER BY partition) FROM sinkd.offsets`)[0]
		if want := "0 200, 1 100"; got != want {
			return fmt.Errorf("positions %s, want %s", got, want)
		}
		return nil
	})
}

// truncated answers that the log of each partition ends at an offset.
func truncated(req *kmsg.OffsetForLeaderEpochRequest, end int64) *kmsg.OffsetForLeaderEpochResponse {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, rt := range req.Topics {
		st := kmsg.NewOffsetForLeaderEpochResponseTopic()
		st.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			sp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			sp.Partition, sp.LeaderEpoch, sp.EndOffset = rp.Partition, rp.LeaderEpoch, end
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}
