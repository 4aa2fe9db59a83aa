package stream

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd"
)

// open publishes the queue of a good claim, unless the tenure has ended.
func (f *Flow) open(pt *part, c *claimed) {
	q := f.assigned.open(pt, c, f.lanes)
	if q == nil {
		return
	}
	f.offsets.mark(c.claim, kgo.EpochOffset{Epoch: c.claim.Epoch, Offset: c.claim.Next})
	f.log.Info("partition claimed", slog.String("partition", pt.String()), slog.Int64("position", c.claim.Next))
	f.metrics.opened(pt.Partition)
	f.metrics.progress(pt.Partition, q.progress())
	f.forgetGone(pt.Partition)
	poke(f.opened)
	f.caught.poke()
}

// onAssigned asks for claims of what the group gave to this process. The group
// waits for none of them: nothing is read for a partition before its claim.
func (f *Flow) onAssigned(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	<-f.ready
	f.metrics.rebalance("assigned", m)
	f.idle.Store(len(m) == 0 && len(f.assigned.all()) == 0)
	f.health.up(kafka)
	if parts := f.assigned.add(listed(m)); len(parts) > 0 {
		f.log.Info("partitions assigned", slog.Int("partitions", len(parts)))
		f.claimer.ask(parts, 0)
	}
}

// unread keeps the group's client from reading what it was assigned: the fetcher
// does, from the positions in Postgres.
func unread(context.Context, map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	return nil, nil
}

// onRevoked gives partitions up in an orderly way: their transaction under way
// may finish, at most for the lesser of the drain timeout and a third of the
// rebalance timeout; after that it goes on alone, and the compare-and-set
// decides. Other partitions keep their queues and lanes.
func (f *Flow) onRevoked(ctx context.Context, _ *kgo.Client, m map[string][]int32) {
	<-f.ready
	f.metrics.rebalance("revoked", m)
	parts := f.assigned.remove(listed(m))
	if len(parts) == 0 {
		return
	}
	wait := min(f.cfg.DrainTimeout, f.cfg.Kafka.RebalanceTimeout/3)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	var claims []*sinkd.Claim
	for _, pt := range parts {
		if pt.queue != nil {
			pt.queue.close()
			claims = append(claims, pt.queue.claim)
		}
	}
	for _, pt := range parts {
		if pt.queue != nil {
			pt.queue.lane.release(ctx, pt.queue)
		}
		f.metrics.forget(pt.Partition)
	}
	f.released(claims)
	f.farewell(ctx, parts)
	f.log.Info("partitions revoked", slog.Int("partitions", len(parts)))
}

// released tells Postgres that the claims were given up, for the hand-over
// time; nobody waits for it.
func (f *Flow) released(claims []*sinkd.Claim) {
	if len(claims) == 0 {
		return
	}
	f.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), claimPatience/2)
		defer cancel()
		if err := f.cfg.Store.Release(ctx, claims); err != nil {
			f.log.Warn("cannot note the release of partitions", slog.Any("error", err))
		}
	})
}

// onLost drops partitions at once: others have them by now.
func (f *Flow) onLost(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	<-f.ready
	f.metrics.rebalance("lost", m)
	for _, pt := range f.assigned.remove(listed(m)) {
		if pt.queue != nil {
			pt.queue.lane.drop(pt.queue)
		}
		f.metrics.forget(pt.Partition)
	}
	f.log.Warn("partitions lost", slog.Int("topics", len(m)))
}

func listed(m map[string][]int32) []sinkd.Partition {
	var out []sinkd.Partition
	for topic, ids := range m {
		for _, id := range ids {
			out = append(out, sinkd.Partition{Topic: topic, ID: id})
		}
	}
	return out
}
