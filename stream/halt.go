package stream

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sinkd/sinkd"
)

// fenced drops claims that have ended and asks for new ones after a while.
func (f *Flow) fenced(claims []*sinkd.Claim) {
	for _, c := range claims {
		pt := f.close(c, claiming)
		if pt == nil {
			continue
		}
		f.metrics.claim("fenced")
		f.log.Info("claim has ended", slog.String("partition", c.String()))
		f.claimer.ask([]*part{pt}, afterFence())
	}
}

// close ends a claim: its queue is dropped, and nothing is read for it any more.
func (f *Flow) close(c *sinkd.Claim, to phase) *part {
	pt, q := f.assigned.close(c, to)
	if pt == nil {
		return nil
	}
	q.lane.drop(q)
	return pt
}

// stop halts the partition of a queue for what was seen while reading it.
func (f *Flow) stop(ctx context.Context, q *queue, kind, detail string) {
	if !q.close() {
		return // it is stopped, or given up, already
	}
	f.tasks.Go(func() {
		q.lane.settle(ctx, q)
		f.haltClaim(ctx, q.claim, q.position(), sinkd.Incident{Partition: q.claim.Partition, Kind: kind, Detail: detail})
	})
}

// halt halts the partitions of a batch that no retry can bring in.
func (f *Flow) halt(ctx context.Context, b *sinkd.Batch, e *sinkd.Error) {
	kind := e.Kind
	if kind == "" {
		kind = sinkd.Refused
	}
	for i := range b.Ranges {
		r := &b.Ranges[i]
		if e.Topic != "" && e.Topic != r.Claim.Topic {
			continue
		}
		f.haltClaim(ctx, r.Claim, r.From, sinkd.Incident{Partition: r.Claim.Partition, Kind: kind, Detail: e.Error()})
	}
}

// haltClaim halts one partition where its claim still holds; where it does not,
// the claim has ended and is asked for again. It tries until it knows.
func (f *Flow) haltClaim(ctx context.Context, c *sinkd.Claim, next int64, i sinkd.Incident) {
	var wait backoff
	for {
		ok, err := f.cfg.Store.Halt(ctx, c, next, i)
		switch {
		case err == nil && ok:
			f.log.Error("partition halted", slog.String("partition", c.String()),
				slog.String("kind", i.Kind), slog.String("detail", i.Detail))
			f.close(c, halted)
			f.caught.poke()
			return
		case err == nil:
			f.fenced([]*sinkd.Claim{c})
			return
		}
		d := wait.next()
		f.health.failing(fmt.Errorf("cannot halt %s: %w", c, err), d)
		if !sleep(ctx, d) {
			return
		}
	}
}

// pausePipeline pauses all of the pipeline, with the incident that says why.
func (f *Flow) pausePipeline(ctx context.Context, e *sinkd.Error) {
	err := f.cfg.Store.Pause(ctx, sinkd.Incident{Kind: e.Kind, Detail: e.Error()})
	if err != nil {
		f.log.Warn("cannot pause the pipeline, trying again", slog.Any("error", err))
		sleep(ctx, time.Second)
		return
	}
	f.log.Error("pipeline paused", slog.String("kind", e.Kind), slog.String("detail", e.Error()))
	for _, pt := range f.assigned.all() {
		if pt.queue != nil {
			f.close(pt.queue.claim, paused)
		}
	}
	f.caught.poke()
}
