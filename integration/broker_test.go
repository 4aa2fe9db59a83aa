package integration_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (w *world) admin() *kadm.Client { return kadm.NewClient(w.client) }

// ends gives the last stable offset of each partition, once no transaction is
// open or about to end: Kafka answers before its markers are in the log.
func (w *world) ends() map[int32]int64 {
	w.t.Helper()
	ends := make(map[int32]int64)
	eventually(w.t, 30*time.Second, "a transaction is still open", func() error {
		stable, err := w.admin().ListCommittedOffsets(w.t.Context(), w.topic)
		if err != nil {
			return err
		}
		high, err := w.admin().ListEndOffsets(w.t.Context(), w.topic)
		if err != nil {
			return err
		}
		clear(ends)
		for id, at := range stable[w.topic] {
			if end := high[w.topic][id].Offset; at.Offset != end {
				return fmt.Errorf("partition %d is stable up to %d of %d", id, at.Offset, end)
			}
			ends[id] = at.Offset
		}
		return nil
	})
	return ends
}

// landed waits until the positions are at the end of the log, and audits.
func (w *world) landed(within time.Duration) {
	w.t.Helper()
	ends := w.ends()
	eventually(w.t, within, "the positions are not at the end of the log", func() error { return w.reached(ends) })
	w.exact()
}

// reached compares the positions with the offsets that they have to be at.
func (w *world) reached(want map[int32]int64) error {
	w.t.Helper()
	rows, err := ask[[]int64](w, `SELECT ARRAY[partition, next_offset] FROM sinkd.offsets`)
	if err != nil {
		return err // there are no tables yet
	}
	got := make(map[int32]int64)
	for _, r := range rows {
		got[int32(r[0])] = r[1]
	}
	for id, at := range want {
		if got[id] != at {
			return fmt.Errorf("positions %v, the log ends at %v", got, want)
		}
	}
	return nil
}

// stored gives the offsets of the records that the partition's log holds below
// its last stable offset, those of aborted transactions left out.
func (w *world) stored(partition int32) (records []int64) {
	w.t.Helper()
	ctx := w.t.Context()
	topics, err := w.admin().Metadata(ctx, w.topic)
	if err != nil {
		w.t.Fatal(err)
	}
	starts, err := w.admin().ListStartOffsets(ctx, w.topic)
	if err != nil {
		w.t.Fatal(err)
	}
	detail := topics.Topics[w.topic]
	at := starts[w.topic][partition].Offset
	for {
		req := kmsg.NewPtrFetchRequest()
		req.MaxBytes, req.SessionEpoch, req.IsolationLevel = 1<<24, -1, 1
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = partition, at, 1<<24
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic, rt.TopicID = w.topic, detail.ID
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		resp, err := req.RequestWith(ctx, w.client.Broker(int(detail.Partitions[partition].Leader)))
		if err != nil {
			w.t.Fatal(err)
		}
		answer := &resp.Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
			w.t.Fatalf("fetch partition %d at %d: %v", partition, at, err)
		}
		fp, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset: at, IsolationLevel: kgo.ReadCommitted(), Topic: w.topic, Partition: partition,
		}, answer, kgo.DefaultDecompressor(), nil)
		if next <= at {
			return records
		}
		for _, r := range fp.Records {
			records = append(records, r.Offset)
		}
		at = next
	}
}

// keep does something every 20 ms until stop is called, which waits for the
// last time, or until it fails.
func (w *world) keep(do func(context.Context) error) (stop func()) {
	w.t.Helper()
	quit := make(chan struct{})
	var failed error
	var doing sync.WaitGroup
	doing.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for failed == nil {
			failed = do(w.t.Context())
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	})
	stop = sync.OnceFunc(func() {
		close(quit)
		doing.Wait()
		if failed != nil {
			w.t.Error(failed)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// incidents gives the open incidents as "kind partition", in order.
func (w *world) incidents() []string {
	w.t.Helper()
	found, err := ask[string](w, `SELECT concat_ws(' ', kind, partition) FROM sinkd.incidents
		WHERE acked_at IS NULL ORDER BY kind, partition`)
	if err != nil {
		return nil
	}
	return found
}

// wantIncidents waits until the open incidents are those.
func (w *world) wantIncidents(within time.Duration, want ...string) {
	w.t.Helper()
	eventually(w.t, within, "other incidents are open", func() error {
		if got := w.incidents(); !slices.Equal(got, want) {
			return fmt.Errorf("incidents %q, want %q", got, want)
		}
		return nil
	})
}
