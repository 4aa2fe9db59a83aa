package stream

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
)

// courtesy keeps the positions that are still to be committed to the consumer
// group: best effort, for lag tools and autoscalers. They are never read back.
type courtesy struct {
	mu      sync.Mutex
	pending map[string]map[int32]kgo.EpochOffset
}

// mark notes a position.
func (c *courtesy) mark(p sinkd.Partition, at kgo.EpochOffset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == nil {
		c.pending = make(map[string]map[int32]kgo.EpochOffset)
	}
	if c.pending[p.Topic] == nil {
		c.pending[p.Topic] = make(map[int32]kgo.EpochOffset)
	}
	c.pending[p.Topic][p.ID] = at
}

// take gives what was marked since, only for the partitions that want admits.
func (c *courtesy) take(want func(sinkd.Partition) bool) map[string]map[int32]kgo.EpochOffset {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]map[int32]kgo.EpochOffset)
	for topic, parts := range c.pending {
		for id, at := range parts {
			if !want(sinkd.Partition{Topic: topic, ID: id}) {
				continue
			}
			if out[topic] == nil {
				out[topic] = make(map[int32]kgo.EpochOffset)
			}
			out[topic][id] = at
			delete(parts, id)
		}
	}
	return out
}

// commit sends the group's offsets, at most once a second, without waiting. A
// failure is of no consequence: the next commit carries later positions.
func (p *poller) commit(ctx context.Context) {
	if p.sending != nil || time.Since(p.committed) < commitInterval {
		select {
		case <-p.sending:
			p.sending = nil
		default:
		}
		return
	}
	offsets := p.flow.courtesy.take(func(sinkd.Partition) bool { return true })
	p.committed = time.Now()
	if len(offsets) == 0 {
		return
	}
	done := make(chan struct{})
	p.sending = done
	p.flow.tasks.Go(func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		answered := make(chan struct{})
		p.flow.client.CommitOffsets(ctx, offsets,
			func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error) { close(answered) })
		select {
		case <-answered:
		case <-ctx.Done():
		}
	})
}

// quiesce waits for a commit under way: the client forbids setting offsets at
// the same time.
func (p *poller) quiesce(ctx context.Context) {
	if p.sending == nil {
		return
	}
	select {
	case <-p.sending:
	case <-ctx.Done():
	}
	p.sending = nil
}

// farewell commits the offsets of partitions that are given up, while the
// group still waits for it.
func (f *Flow) farewell(ctx context.Context, parts map[sinkd.Partition]bool) {
	offsets := f.courtesy.take(func(p sinkd.Partition) bool { return parts[p] })
	if len(offsets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	f.client.CommitOffsetsSync(ctx, offsets, nil)
}
