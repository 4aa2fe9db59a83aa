package stream

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sinkd/sinkd"
)

// caughtUp ends a flow that was asked to run until it has caught up: when the
// position rows of all partitions, whoever moves them, have reached the last
// stable offsets that were listed at its start. In idempotent delivery the
// group's committed offsets stand for the position rows.
type caughtUp struct {
	flow *Flow
	// targets are the offsets to reach; nil where the flow goes on for ever.
	targets map[sinkd.Partition]int64
	wake    chan struct{}
	done    chan error
}

func newCaughtUp(f *Flow) *caughtUp {
	return &caughtUp{flow: f, wake: make(chan struct{}, 1), done: make(chan error, 1)}
}

// aim lists the offsets to reach.
func (c *caughtUp) aim(ctx context.Context, topics map[string]sinkd.Topic) error {
	if !c.flow.cfg.UntilCaughtUp {
		return nil
	}
	names := make([]string, 0, len(topics))
	for name := range topics {
		names = append(names, name)
	}
	log, err := c.flow.brokers.bounds(ctx, names...)
	if err != nil {
		return err
	}
	c.targets = make(map[sinkd.Partition]int64, len(log))
	for p, b := range log {
		c.targets[p] = b.stable
	}
	for name, t := range topics {
		for id := range t.Partitions {
			if p := (sinkd.Partition{Topic: name, ID: id}); c.targets[p] == 0 && log[p].lists == 0 {
				return fmt.Errorf("list the offsets of %s: %w", p, errNoLeader)
			}
		}
	}
	return nil
}

// poke tells that a position may have moved.
func (c *caughtUp) poke() {
	if c.targets != nil {
		poke(c.wake)
	}
}

// run looks at the position rows whenever this process has reached its own
// targets, and now and then for those of others.
func (c *caughtUp) run(ctx context.Context) {
	if c.targets == nil {
		return
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
			if !c.own() {
				continue
			}
		case <-tick.C:
		}
		if c.look(ctx) {
			return
		}
	}
}

// own tells whether the partitions that this process works on have reached
// their targets.
func (c *caughtUp) own() bool {
	for _, pt := range c.flow.assigned.all() {
		if pt.phase == claiming || pt.queue != nil && pt.queue.position() < c.targets[pt.Partition] {
			return false
		}
	}
	return true
}

// look reads the position rows and tells whether the end is reached.
func (c *caughtUp) look(ctx context.Context) bool {
	rows, err := c.flow.cfg.Store.Positions(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.flow.log.Warn("cannot read the positions, trying again", slog.Any("error", err))
		}
		return false
	}
	reached := make(map[sinkd.Partition]bool, len(rows))
	var stopped []sinkd.Position
	for _, r := range rows {
		target, wanted := c.targets[r.Partition]
		reached[r.Partition] = r.Next >= target
		if wanted && !reached[r.Partition] && (r.Halted != "" || r.Paused) {
			stopped = append(stopped, r)
			reached[r.Partition] = true
		}
	}
	for _, pt := range c.flow.assigned.all() {
		// The position row is gone: an incident says so.
		if _, known := reached[pt.Partition]; !known && pt.phase == halted {
			stopped = append(stopped, sinkd.Position{Partition: pt.Partition, Halted: sinkd.PositionMissing})
			reached[pt.Partition] = true
		}
	}
	for p := range c.targets {
		if !reached[p] {
			return false
		}
	}
	var end error
	if len(stopped) > 0 {
		end = &HaltedError{Partitions: stopped, See: c.flow.see()}
	}
	c.done <- end
	return true
}
