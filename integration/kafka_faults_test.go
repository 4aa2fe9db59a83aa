package integration_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd/integration/lab"
)

// hits waits until faults of kfake have answered n requests.
func hits(t testing.TB, f *kfake.FaultHandle, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := f.Wait(ctx, n); err != nil {
		t.Fatalf("the fault struck %d times, want %d: %v", f.Hits(), n, err)
	}
}

// Errors that the brokers answer a fetch with for a while cost time only, and
// need nobody.
func TestFetchErrorsPass(t *testing.T) {
	t.Parallel()
	w, c := newFakeWorld(t, 2)
	start(t, w.env()).ready(30 * time.Second)
	stop := w.feed(20, 2)
	for _, err := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.UnknownTopicOrPartition,
		kerr.ReplicaNotAvailable, kerr.KafkaStorageError, kerr.OffsetNotAvailable, kerr.OffsetOutOfRange,
	} {
		hits(t, c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: w.topic, Partitions: []int32{1}, Err: err, Count: 2}), 1)
		w.advance(100)
	}
	stop()
	w.complete()
	w.wantIncidents(0)
}

// The leader names a replica that is nearer, which is asked in its place; where
// that one does not have what is wanted, the leader is asked again.
func TestNearestReplicaIsAsked(t *testing.T) {
	t.Parallel()
	w, c := newFakeWorld(t, 1, kfake.NumBrokers(2))
	leader := c.LeaderFor(w.topic, 0)
	var named, asked atomic.Int32
	c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		f := req.(*kmsg.FetchRequest)
		resp := f.ResponseKind().(*kmsg.FetchResponse)
		rt := kmsg.NewFetchResponseTopic()
		rt.Topic, rt.TopicID = f.Topics[0].Topic, f.Topics[0].TopicID
		rp := kmsg.NewFetchResponseTopicPartition()
		switch {
		case c.CurrentNode() != leader:
			asked.Add(1)
			rp.ErrorCode = kerr.OffsetOutOfRange.Code
		case f.Rack == "near" && named.Add(1) <= 2:
			rp.PreferredReadReplica = 1 - leader
		default:
			return nil, nil, false
		}
		rt.Partitions = append(rt.Partitions, rp)
		resp.Topics = append(resp.Topics, rt)
		return resp, nil, true
	})
	start(t, w.env().with("SINKD_KAFKA_RACK", "near")).ready(30 * time.Second)
	w.produce(100, 1)
	w.complete()
	if n := asked.Load(); n != 2 {
		t.Errorf("the replica was asked %d times, want twice", n)
	}
	w.wantIncidents(0)
}

// A partition that the brokers refuse halts, with one incident; the other goes
// on. It is revived by a person.
func TestFetchRefused(t *testing.T) {
	t.Parallel()
	w, c := newFakeWorld(t, 2)
	s := start(t, w.env())
	s.ready(30 * time.Second)
	w.produce(100, 2)
	eventually(t, 30*time.Second, "not all of it has landed", w.behind)
	refused := c.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Fetch}, Topic: w.topic, Partitions: []int32{1}, Err: kerr.TopicAuthorizationFailed, Count: -1,
	})
	w.produce(100, 2)
	eventually(t, 30*time.Second, "the partition is not halted", func() error {
		got := query[string](w, `SELECT string_agg(partition || ' ' || next_offset || ' ' || coalesce(halted, 'not halted'), ', '
			ORDER BY partition) FROM sinkd.offsets`)[0]
		if want := "0 100 not halted, 1 50 fetch_failed"; got != want {
			return fmt.Errorf("positions %s, want %s", got, want)
		}
		return nil
	})
	opened := query[string](w, `SELECT format('%s %s seen %s', kind, partition, seen) FROM sinkd.incidents`)
	if len(opened) != 1 || opened[0] != "fetch_failed 1 seen 1" {
		t.Errorf("incidents %q", opened)
	}
	refused.Remove()
	w.acknowledge("fetch_failed", "--retry")
	w.complete()
	s.ready(10 * time.Second)
}

// Group coordinators and partition leaders move among three brokers, under
// load.
func TestLeadersAndCoordinatorsMove(t *testing.T) {
	t.Parallel()
	w, c := newFakeWorld(t, 4, kfake.NumBrokers(3))
	start(t, w.env()).ready(30 * time.Second)
	stop := w.feed(40, 4)
	for range 4 {
		c.ShufflePartitionLeaders()
		w.advance(200)
		c.RehashCoordinators()
		w.advance(200)
	}
	stop()
	w.complete()
	w.wantIncidents(0)
}

// The group answers its member with errors, under load: the member comes back,
// and what it had under way lands once or not at all.
func TestGroupErrorsPass(t *testing.T) {
	t.Parallel()
	w, c := newFakeWorld(t, 2)
	s := start(t, w.env().with("SINKD_BATCH_INTERVAL", "0s"))
	s.ready(30 * time.Second)
	stop := w.feed(40, 2)
	for _, fault := range []kfake.Fault{
		{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID},
		{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.IllegalGeneration},
		{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress},
		{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.NotCoordinator},
		{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.CoordinatorNotAvailable},
		{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.UnknownMemberID, Count: 3},
		{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.GroupAuthorizationFailed, Count: 3},
	} {
		hits(t, c.Fault(fault), 1)
		w.advance(200)
	}
	rejoin := c.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID},
		kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.CoordinatorLoadInProgress},
		kfake.Fault{Keys: []kmsg.Key{kmsg.SyncGroup}, Err: kerr.RebalanceInProgress},
	)
	hits(t, rejoin, 3)
	w.advance(200)
	stop()
	w.complete()
	w.wantIncidents(0)
	if n := s.metric("sinkd_rebalances_total", `event="lost"`); n == 0 {
		t.Error("no partition was lost on the way")
	}
}

// A second replica joins while the first one is stalled in the middle of a
// transaction, so that partitions are revoked from under it; then it goes away
// again.
func TestRebalanceInTheMiddleOfATransaction(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 4)
	e, proxy := w.proxied("SINKD_LANES", "1", "SINKD_BATCH_MAX_RECORDS", "200")
	first := start(t, e)
	first.ready(30 * time.Second)
	stop := w.feed(40, 4)
	w.advance(200)
	for _, arm := range []func() *lab.Fault{
		func() *lab.Fault { return proxy.StallInCopy(200, 1) },
		func() *lab.Fault { proxy.MatchCopies(); return proxy.StallBeforeCommit(1) },
		func() *lab.Fault { return proxy.StallAfterCommit(1) },
	} {
		fault := arm()
		strikes(t, fault)
		second := start(t, w.env())
		try(t, second.atWork(t.Context()))
		fault.Release()
		try(t, first.atWork(t.Context()))
		if code := second.term(30 * time.Second); code != 0 {
			t.Errorf("exit code %d after SIGTERM", code)
		}
	}
	w.advance(200)
	stop()
	w.complete()
	w.wantIncidents(0)
}
