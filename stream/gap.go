package stream

import (
	"context"
	"log/slog"
	"time"

	"github.com/sinkd/sinkd"
)

// proof is what a fetch of our own found for a queue.
type proof struct {
	queue *queue
	// from is the queue's tail when it was asked for, until how far to look.
	from, until int64
	// tail tells that a silent tail was looked at, not the first gap.
	tail    bool
	finding finding
	err     error
}

// proved leaves a proof for the poller.
func (p *poller) proved(pr proof) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proofs = append(p.proofs, pr)
	poke(p.wake)
}

// hold keeps records behind the first gap of a claim until a fetch of our own
// has shown that the gap is real.
func (p *poller) hold(ctx context.Context, q *queue, recs []*sinkd.Record) {
	q.held = append(q.held, recs...)
	for _, r := range recs {
		q.heldCost += cost(r)
		p.flow.budget.add(cost(r))
	}
	p.prove(ctx, q, proof{until: q.held[0].Offset})
}

// prove looks past the client at what lies between the queue's tail and the
// proof's until.
func (p *poller) prove(ctx context.Context, q *queue, pr proof) {
	if q.probing {
		return
	}
	q.probing = true
	pr.queue, pr.from = q, q.tail
	p.flow.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, claimPatience)
		defer cancel()
		pr.finding, pr.err = p.flow.probe(ctx, q, pr.from, pr.until)
		p.proved(pr)
	})
}

// settle acts on what a fetch of our own found.
func (p *poller) settle(pr proof) {
	q := pr.queue
	held := q.held
	if pr.tail {
		p.looking--
	}
	p.flow.budget.add(-q.heldCost)
	q.probing, q.held, q.heldCost, q.active = false, nil, 0, time.Now()
	switch {
	case q.gone(), q.tail != pr.from:
		return
	case held != nil && pr.err == nil && pr.finding.next >= held[0].Offset:
		q.verified = true
		p.push(q, held)
		return
	}
	// What holds no record need not be looked at again, however far it goes.
	q.skipTo(pr.finding.next)
	switch {
	case pr.err != nil:
		p.flow.log.Warn("cannot look at a gap in the log, trying again",
			slog.String("partition", q.claim.String()), slog.Any("error", pr.err))
		if held == nil {
			return
		}
	case held == nil && !q.overlooked(pr.finding):
		return
	default:
		p.flow.log.Warn("the client passed over records; setting its offset again",
			slog.String("partition", q.claim.String()), slog.Int64("offset", q.tail))
	}
	p.point(q, true)
}

// overlookedLimit is how often a look has to find records where the client
// brings none, before the client is pointed at them: it may only be slow.
const overlookedLimit = 5

// overlooked counts the looks at a silent tail that found a record right there.
func (q *queue) overlooked(found finding) bool {
	if !found.data || found.next > q.tail {
		q.idleLooks = 0
		return false
	}
	q.idleLooks++
	return q.idleLooks%overlookedLimit == 0
}

// tailProbes bounds the fetches of our own that look at silent tails at a time:
// a partition that seems to rest may only be waiting for its turn in a fetch.
const tailProbes = 2

// tails looks at partitions that came to rest below their last stable offset:
// what lies between may be markers and compacted records, or a fetch that is
// slow.
func (p *poller) tails(ctx context.Context) {
	now := time.Now()
	quiet := time.Second
	if p.flow.cfg.UntilCaughtUp && now.Sub(p.data) > 2*pollPatience {
		quiet = 2 * pollPatience
	}
	for _, l := range p.flow.lanes {
		for _, q := range l.all() {
			if p.looking == tailProbes {
				return
			}
			if end, idle := q.rest(); idle && q.tail < end && !q.throttled && !q.probing &&
				now.Sub(q.active) > quiet && p.polls-q.polls > int(quiet/pollPatience) {
				p.looking++
				p.prove(ctx, q, proof{until: end, tail: true})
			}
		}
	}
}
