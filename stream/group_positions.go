package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/sinkd/sinkd"
)

// groupPositions are the flow's books where no tables may be kept: a position is
// what the consumer group has committed, all else is in memory and ends with the
// process. The Applier writes rows and moves no position; the flow commits one
// when its rows are in Postgres, so it never lies beyond them.
//
// A claim fences nobody here. Its token only tells what this process began
// under an older tenure from what it does now.
type groupPositions struct {
	Applier
	Pinger
	group   string
	brokers *brokers

	mu sync.Mutex
	// topics are as this process saw them first, with the partitions whose
	// beginnings are settled: committed, or in starts.
	topics map[string]sinkd.Topic
	starts map[sinkd.Partition]int64
	tokens map[sinkd.Partition]uuid.UUID
	halts  map[sinkd.Partition]halt
	paused bool
}

// halt is what halted a partition, and at which position.
type halt struct {
	sinkd.Incident
	next int64
}

func newGroupPositions(cfg *Config, b *brokers) *groupPositions {
	return &groupPositions{
		Applier: cfg.Store, Pinger: cfg.Store, group: cfg.Kafka.Group, brokers: b,
		topics: make(map[string]sinkd.Topic), starts: make(map[sinkd.Partition]int64),
		tokens: make(map[sinkd.Partition]uuid.UUID), halts: make(map[sinkd.Partition]halt),
	}
}

// Register tells, by first, whether the group has committed nothing yet.
func (g *groupPositions) Register(ctx context.Context, _ string) (first bool, err error) {
	at, err := g.committed(ctx)
	return len(at) == 0, err
}

// committed gives what the group has committed. The database has to answer as
// well: nobody is to hold a partition who cannot write it.
func (g *groupPositions) committed(ctx context.Context) (map[sinkd.Partition]committed, error) {
	if err := g.Ping(ctx); err != nil {
		return nil, err
	}
	return g.brokers.committed(ctx, g.group)
}

// Retry does nothing: what was halted is forgotten with the process.
func (g *groupPositions) Retry(context.Context) error { return nil }

// Started does nothing: what is committed tells.
func (g *groupPositions) Started(context.Context) error { return nil }

// Release does nothing.
func (g *groupPositions) Release(context.Context, []*sinkd.Claim) error { return nil }

// Handovers does nothing.
func (g *groupPositions) Handovers(context.Context, []*sinkd.Claim) ([]time.Duration, error) {
	return nil, nil
}

// Observe does nothing.
func (g *groupPositions) Observe(context.Context, []sinkd.Observation) error { return nil }

// Topics gives the topics whose first positions are settled. Of one that this
// process did not pin, those are the partitions before the first that has no
// committed offset: what lies behind was added since.
func (g *groupPositions) Topics(ctx context.Context) (map[string]sinkd.Topic, error) {
	at, err := g.brokers.committed(ctx, g.group)
	if err != nil {
		return nil, err
	}
	if err := g.meet(ctx, at); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.topics), nil
}

// meet remembers the topics with committed offsets that this process has not
// seen so far, as they are now.
func (g *groupPositions) meet(ctx context.Context, at map[sinkd.Partition]committed) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	settled := make(map[string]int32)
	for p := range at {
		if _, met := g.topics[p.Topic]; !met {
			settled[p.Topic] = 0
		}
	}
	if len(settled) == 0 {
		return nil
	}
	var names []string
	for name, n := range settled {
		for _, has := at[sinkd.Partition{Topic: name, ID: n}]; has; _, has = at[sinkd.Partition{Topic: name, ID: n}] {
			n++
		}
		settled[name] = n
		names = append(names, name)
	}
	now, err := g.brokers.topics(ctx, names...)
	for name, t := range now {
		t.Partitions = settled[name]
		g.topics[name] = t
	}
	return err
}

// Pin remembers where the topic's partitions begin that have no committed
// offset, and commits that where the group has no members yet, so that a crash
// before the first batch loses nothing. Where it has, the partition's holder
// commits it.
func (g *groupPositions) Pin(ctx context.Context, t sinkd.Topic, starts []int64) error {
	at, err := g.brokers.committed(ctx, g.group)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	fresh := make(kadm.Offsets)
	for id, start := range starts {
		p := sinkd.Partition{Topic: t.Name, ID: int32(id)}
		if _, has := at[p]; has {
			continue
		}
		if _, has := g.starts[p]; !has {
			g.starts[p] = start
		}
		fresh.Add(kadm.Offset{Topic: t.Name, Partition: p.ID, At: g.starts[p], LeaderEpoch: -1})
	}
	if len(fresh) > 0 {
		err := g.brokers.admin.CommitAllOffsets(ctx, g.group, fresh)
		if err != nil && !notMember(err) {
			return fmt.Errorf("commit the first positions of %s to group %s: %w", t.Name, g.group, err)
		}
	}
	if pinned, met := g.topics[t.Name]; met {
		t.ID, t.Cluster = pinned.ID, pinned.Cluster
	}
	g.topics[t.Name] = t
	return nil
}

// Claim reads the positions, and gives each a fresh token.
func (g *groupPositions) Claim(ctx context.Context, parts []sinkd.Partition) ([]sinkd.Claim, []sinkd.Partition, error) {
	at, err := g.committed(ctx)
	if err != nil {
		return nil, nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	claims := make([]sinkd.Claim, len(parts))
	for i, p := range parts {
		c := &claims[i]
		c.Partition, c.Token, c.Epoch, c.Paused = p, uuid.New(), -1, g.paused
		start, pinned := g.starts[p]
		switch from, has := at[p]; {
		case has:
			c.Next, c.Epoch = from.next, from.epoch
		case pinned:
			c.Next = start
		default:
			delete(g.topics, p.Topic) // it is pinned anew
			return nil, nil, fmt.Errorf("the offset of %s that group %s had committed is gone", p, g.group)
		}
		g.tokens[p] = c.Token
		c.Halted = g.halted(p, c.Next)
	}
	return claims, nil, nil
}

// halted gives the kind of the incident that halted the partition, empty where
// it is none, or has gone on since in another process. The mutex is held.
func (g *groupPositions) halted(p sinkd.Partition, next int64) string {
	h, ok := g.halts[p]
	if ok && next > h.next {
		delete(g.halts, p)
		return ""
	}
	return h.Kind
}

// errNotLocked tells of a call that cannot come.
var errNotLocked = errors.New("no partition is locked in idempotent delivery")

// ClaimLocked is never called: Claim answers no partition as locked.
func (g *groupPositions) ClaimLocked(context.Context, sinkd.Partition) (sinkd.Claim, error) {
	return sinkd.Claim{}, errNotLocked
}

// Positions gives what the group has committed, whoever did it. The tokens are
// those of this process's own claims, so none of them seems to have ended.
func (g *groupPositions) Positions(ctx context.Context) ([]sinkd.Position, error) {
	at, err := g.committed(ctx)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]sinkd.Position, 0, len(at))
	for p, from := range at {
		out = append(out, sinkd.Position{
			Partition: p, Token: g.tokens[p], Next: from.next, Halted: g.halted(p, from.next), Paused: g.paused,
		})
	}
	return out, nil
}

// Halt halts the claim's partition until the process ends.
func (g *groupPositions) Halt(_ context.Context, c *sinkd.Claim, next int64, i sinkd.Incident) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tokens[c.Partition] != c.Token {
		return false, nil
	}
	i.Partition = c.Partition
	g.halts[c.Partition] = halt{i, next}
	return true, nil
}

// Report does nothing: who reports logs it.
func (g *groupPositions) Report(context.Context, sinkd.Incident) error { return nil }

// Pause pauses all partitions until the process ends.
func (g *groupPositions) Pause(context.Context, sinkd.Incident) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.paused = true
	return nil
}

// Skip passes over a range that Kafka has lost.
func (g *groupPositions) Skip(_ context.Context, k sinkd.Skip) (sinkd.Claim, error) {
	moved := *k.Claim
	moved.Next = k.Until
	return moved, nil
}

// incident gives what halted the partition.
func (g *groupPositions) incident(p sinkd.Partition) sinkd.Incident {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.halts[p].Incident
}
