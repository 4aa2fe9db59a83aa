package stream

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
)

// asks is a fetch under way for a queue.
func (q *queue) asks() *read {
	return &read{spot: spot{Partition: q.claim.Partition, topicID: q.topicID, at: q.tail}, queue: q, epoch: -1, cursor: &q.cursor}
}

// errorOf is an answer for one partition that is an error.
func errorOf(err *kerr.Error) *kmsg.FetchResponseTopicPartition {
	return &kmsg.FetchResponseTopicPartition{ErrorCode: err.Code, PreferredReadReplica: -1}
}

// TestWhatWasReadLandsBeforeItsClaimEnds: retention that passes the tail while the
// lane is held up, or a topic that is deleted, leave what was read nowhere else.
func TestWhatWasReadLandsBeforeItsClaimEnds(t *testing.T) {
	for _, err := range []*kerr.Error{kerr.OffsetOutOfRange, kerr.UnknownTopicID} {
		t.Run(err.Message, func(t *testing.T) {
			f := newLiveFetcher(t, nil)
			q := f.claims(sinkd.Partition{Topic: "t"})
			q.bring(records(0, 0, 50)...)
			for range 2 * unknownLimit {
				f.answered(t.Context(), q.asks(), errorOf(err), true)
			}
			if q.records.Len() != 50 || !f.holds(q) {
				t.Fatalf("%d of 50 records are left to land", q.records.Len())
			}
			if pause := time.Until(q.cursor.retry); pause < time.Second {
				t.Errorf("it is asked for again in %s", pause)
			}
			q.lane.cut()
			q.landed = q.tail
			f.answered(t.Context(), q.asks(), errorOf(err), true)
			if f.holds(q) {
				t.Error("all has landed, and the claim is not ended")
			}
		})
	}
}

// TestServerErrorIsTriedAgain: brokers give it for what may be over at once; a
// person is asked for only where it stays.
func TestServerErrorIsTriedAgain(t *testing.T) {
	f := newLiveFetcher(t, nil)
	q := f.claims(sinkd.Partition{Topic: "t"})
	stopped := &halts{}
	f.flow.cfg.Store = stopped
	give := func(n int, rp *kmsg.FetchResponseTopicPartition) {
		for range n {
			f.answered(t.Context(), q.asks(), rp, true)
		}
		f.flow.tasks.Wait()
	}
	give(serverErrorLimit, errorOf(kerr.UnknownServerError))
	give(1, &kmsg.FetchResponseTopicPartition{PreferredReadReplica: -1})
	give(serverErrorLimit, errorOf(kerr.UnknownServerError))
	if len(stopped.kinds) != 0 || q.cursor.wait.n == 0 {
		t.Errorf("%v after errors that were over, %d pauses", stopped.kinds, q.cursor.wait.n)
	}
	give(1, errorOf(kerr.UnknownServerError))
	if !slices.Equal(stopped.kinds, []string{sinkd.FetchFailed}) {
		t.Errorf("%v after errors that stay", stopped.kinds)
	}
}

// TestCorruptBatchHaltsWhereItStays: it may be corrupt in this answer only, and what
// was read before it lands first.
func TestCorruptBatchHaltsWhereItStays(t *testing.T) {
	f := newLiveFetcher(t, nil)
	q := f.claims(sinkd.Partition{Topic: "t"})
	stopped := &halts{}
	f.flow.cfg.Store = stopped
	log := append(fetched(10, 10), fetched(10, 10)...)
	log[len(log)-1] ^= 1
	f.answered(t.Context(), q.asks(), &kmsg.FetchResponseTopicPartition{RecordBatches: log, PreferredReadReplica: -1}, true)
	corrupt := fetched(10, 10)
	corrupt[len(corrupt)-1] ^= 1
	give := func() {
		f.answered(t.Context(), q.asks(), &kmsg.FetchResponseTopicPartition{RecordBatches: slices.Clone(corrupt), PreferredReadReplica: -1}, true)
		f.flow.tasks.Wait()
	}
	for range 3 {
		give()
	}
	if q.records.Len() != 10 || len(stopped.kinds) != 0 {
		t.Fatalf("%d records are left to land, %v", q.records.Len(), stopped.kinds)
	}
	q.lane.cut()
	q.landed = q.tail
	q.cursor.unknown = 0
	if give(); len(stopped.kinds) != 0 {
		t.Errorf("%v at once", stopped.kinds)
	}
	if give(); !slices.Equal(stopped.kinds, []string{sinkd.FetchFailed}) {
		t.Errorf("%v where it stays", stopped.kinds)
	}
}

// halts is a store that takes halts.
type halts struct {
	Store
	kinds []string
}

func (h *halts) Halt(_ context.Context, _ *sinkd.Claim, _ int64, i sinkd.Incident) (bool, error) {
	h.kinds = append(h.kinds, i.Kind)
	return true, nil
}

// TestFollowerIsLeftAtLast: a replica may stop being the nearest one, or come to
// lag behind, and says nothing of it (KIP-392).
func TestFollowerIsLeftAtLast(t *testing.T) {
	f := newTestFetcher(1)
	q := f.flow.lanes[0].with(0, 0)
	names := &kmsg.FetchResponseTopicPartition{PreferredReadReplica: 9}
	f.answered(t.Context(), q.asks(), names, true)
	if broker, _ := f.broker(q.asks()); broker != 9 {
		t.Errorf("broker %d is asked, want the one that was named", broker)
	}
	q.cursor.followed = time.Now().Add(-metadataAge)
	if broker, _ := f.broker(q.asks()); broker != 7 {
		t.Errorf("broker %d is asked after a long time, want the leader", broker)
	}
	if f.answered(t.Context(), q.asks(), names, true); q.cursor.retry.After(time.Now()) {
		t.Error("the leader names the follower once more, and is made to wait")
	}
}

// TestBrokersThatSendToEachOther: a broker that names itself, or two that name each
// other, are not asked without a pause.
func TestBrokersThatSendToEachOther(t *testing.T) {
	f := newTestFetcher(1)
	q := f.flow.lanes[0].with(0, 0)
	for range 20 {
		broker, _ := f.broker(q.asks())
		f.answered(t.Context(), q.asks(), &kmsg.FetchResponseTopicPartition{PreferredReadReplica: 16 - broker}, true)
	}
	if pause := time.Until(q.cursor.retry); pause < time.Second {
		t.Errorf("after twenty answers without a record they are asked again in %s", pause)
	}
}
