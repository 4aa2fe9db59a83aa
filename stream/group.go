package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
)

const (
	// commitInterval is the least time between two commits of group offsets;
	// soonInterval where somebody waits for them.
	commitInterval = time.Second
	soonInterval   = 50 * time.Millisecond
	// commitPatience bounds a commit.
	commitPatience = 5 * time.Second
)

// tenancy is one claim of one partition.
type tenancy struct {
	sinkd.Partition
	token uuid.UUID
}

func tenancyOf(c *sinkd.Claim) tenancy { return tenancy{c.Partition, c.Token} }

// groupOffsets keeps the positions that are still to be committed to the
// consumer group, claim by claim: what a claim has landed says nothing about
// the partition once another one has it. They are a courtesy to lag tools and
// autoscalers; in idempotent delivery they are the positions.
type groupOffsets struct {
	mu      sync.Mutex
	pending map[tenancy]kgo.EpochOffset
}

// mark notes a position that is in Postgres.
func (g *groupOffsets) mark(c *sinkd.Claim, at kgo.EpochOffset) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pending == nil {
		g.pending = make(map[tenancy]kgo.EpochOffset)
	}
	g.pending[tenancyOf(c)] = at
}

// take gives what was marked since, of the claims that mine admits.
func (g *groupOffsets) take(mine func(tenancy) bool) map[tenancy]kgo.EpochOffset {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make(map[tenancy]kgo.EpochOffset)
	for t, at := range g.pending {
		if mine(t) {
			out[t] = at
			delete(g.pending, t)
		}
	}
	return out
}

// giveBack marks anew what could not be committed, unless there is a later
// position by now.
func (g *groupOffsets) giveBack(offsets map[tenancy]kgo.EpochOffset) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for t, at := range offsets {
		if later, ok := g.pending[t]; !ok || later.Offset < at.Offset {
			g.pending[t] = at
		}
	}
}

// forget drops what was marked of claims other than those that mine admits.
func (g *groupOffsets) forget(mine func(tenancy) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.pending, func(t tenancy, _ kgo.EpochOffset) bool { return !mine(t) })
}

// listen hears from the group's client what keeps it from the group.
func (f *Flow) listen(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := f.client.PollFetches(ctx)
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachError(func(_ string, _ int32, err error) {
			if group, ok := errors.AsType[*kgo.ErrGroupSession](err); ok {
				f.health.failing(group, 0)
			}
		})
	}
}

// commit commits the group's offsets now and then. What fails is sent again with
// the next ones.
func (f *Flow) commit(ctx context.Context) {
	for sleep(ctx, f.commitInterval()) {
		offsets := f.offsets.take(f.assigned.latest)
		f.offsets.forget(f.assigned.latest)
		if len(offsets) > 0 {
			// A commit that is cut off would take the connection with it, and the
			// next one could overtake it.
			f.send(context.WithoutCancel(ctx), offsets)
		}
	}
}

// commitInterval is the least time between two commits.
func (f *Flow) commitInterval() time.Duration {
	if f.cfg.Idempotent && f.cfg.UntilCaughtUp {
		return soonInterval
	}
	return commitInterval
}

// send commits and gives back what fails. The client may wait for a rebalance
// before it commits, as a member of the next generation; so it looks once more,
// when its generation is settled, whether the partitions are still its own. If
// they are lost after that, the generation has ended, and the group refuses the
// commit.
func (f *Flow) send(ctx context.Context, offsets map[tenancy]kgo.EpochOffset) {
	f.committing.Lock()
	defer f.committing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, commitPatience)
	defer cancel()
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for t := range offsets {
			if !f.assigned.latest(t) {
				return errMoved
			}
		}
		return nil
	})
	answered := make(chan error, 1)
	f.client.CommitOffsets(ctx, requested(offsets),
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
			answered <- errors.Join(err, refused(resp))
		})
	var err error
	select {
	case err = <-answered:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	f.sent(offsets, err)
}

// sent notes how a commit ended. That it fails is worth a word only where
// positions depend on it, and no rebalance is the reason.
func (f *Flow) sent(offsets map[tenancy]kgo.EpochOffset, err error) {
	if err == nil {
		f.caught.poke()
		return
	}
	f.offsets.giveBack(offsets)
	if f.cfg.Idempotent && !errors.Is(err, errMoved) && !notMember(err) {
		f.health.failing(fmt.Errorf("commit the offsets of group %s: %w", f.cfg.Kafka.Group, err), commitInterval)
	}
}

// notMember tells of a commit that the group refuses to all but its members of
// this generation.
func notMember(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) ||
		errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.FencedInstanceID)
}

// requested gives offsets as the client lists them.
func requested(offsets map[tenancy]kgo.EpochOffset) map[string]map[int32]kgo.EpochOffset {
	out := make(map[string]map[int32]kgo.EpochOffset)
	for t, at := range offsets {
		if out[t.Topic] == nil {
			out[t.Topic] = make(map[int32]kgo.EpochOffset)
		}
		out[t.Topic][t.ID] = at
	}
	return out
}

// refused gives the first error of a commit's answer.
func refused(resp *kmsg.OffsetCommitResponse) error {
	if resp == nil {
		return nil
	}
	for i := range resp.Topics {
		for _, p := range resp.Topics[i].Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}

// farewell commits the offsets of partitions that are given up, while the group
// still waits for it, and therefore nobody else has them.
func (f *Flow) farewell(ctx context.Context, parts []*part) {
	mine := make(map[tenancy]bool, len(parts))
	for _, pt := range parts {
		mine[tenancy{pt.Partition, pt.token}] = true
	}
	f.committing.Lock() // one that is under way may give back what it could not commit
	defer f.committing.Unlock()
	offsets := f.offsets.take(func(t tenancy) bool { return mine[t] })
	if len(offsets) == 0 {
		return
	}
	wait := time.Second
	if f.cfg.Idempotent {
		wait = commitPatience
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	f.client.CommitOffsetsSync(ctx, requested(offsets), nil)
}
