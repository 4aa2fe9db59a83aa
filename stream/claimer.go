package stream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
)

const (
	// claimPatience bounds what one question to the brokers may take.
	claimPatience = 10 * time.Second
	// beyondEndPatience is how long a position must lie beyond the end of the
	// log before it counts: a listing may lag behind another owner.
	beyondEndPatience = 30 * time.Second
)

// claimed is a claim that passed the check of rule 2.
type claimed struct {
	claim   *sinkd.Claim
	topicID uuid.UUID
	// end is the last stable offset when the claim was checked.
	end int64
}

// wish is a partition that this process wants to claim.
type wish struct {
	part *part
	// due is when to try; beyond since when the position lies beyond the end.
	due    time.Time
	beyond time.Time
	retry  backoff
}

// claimer makes the claims, one round after the other, in a goroutine of its
// own: the group never waits for Postgres, and what could not be claimed is tried
// without end.
type claimer struct {
	flow *Flow
	wake chan struct{}

	mu     sync.Mutex
	wishes map[sinkd.Partition]*wish
}

func newClaimer(f *Flow) *claimer {
	return &claimer{flow: f, wake: make(chan struct{}, 1), wishes: make(map[sinkd.Partition]*wish)}
}

// ask adds wishes that are due after the delay.
func (c *claimer) ask(parts []*part, delay time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, pt := range parts {
		c.wishes[pt.Partition] = &wish{part: pt, due: time.Now().Add(delay)}
	}
	poke(c.wake)
}

// afterFence is how long a writer waits that was fenced: two heartbeats, so
// that the group can say who should work, and jitter.
func afterFence() time.Duration { return 2*heartbeat + rand.N(heartbeat) }

// run works until the context ends.
func (c *claimer) run(ctx context.Context) {
	for {
		due, at := c.due(time.Now())
		if len(due) > 0 {
			c.round(ctx, due)
			continue
		}
		timer := time.NewTimer(time.Until(at))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-c.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// due gives the wishes to try now, and when to look again where there is none.
// Wishes of a tenure that has ended are forgotten.
func (c *claimer) due(now time.Time) ([]*wish, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := now.Add(time.Hour)
	var out []*wish
	for p, w := range c.wishes {
		switch {
		case !c.flow.assigned.holds(w.part):
			delete(c.wishes, p)
		case !w.due.After(now):
			out = append(out, w)
		case w.due.Before(at):
			at = w.due
		}
	}
	slices.SortFunc(out, func(a, b *wish) int { return a.part.Compare(b.part.Partition) })
	return out, at
}

// forget ends a wish, unless a newer one took its place.
func (c *claimer) forget(w *wish) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wishes[w.part.Partition] == w {
		delete(c.wishes, w.part.Partition)
	}
}

// later tries a wish again after a growing pause.
func (c *claimer) later(w *wish) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.due = time.Now().Add(w.retry.next())
}

// round claims what is due: pins the topics, takes all rows that are free in
// one transaction, then the first of those that are locked, alone.
func (c *claimer) round(ctx context.Context, due []*wish) {
	due = c.pin(ctx, due)
	if len(due) == 0 {
		return
	}
	parts := make([]sinkd.Partition, len(due))
	for i, w := range due {
		parts[i] = w.part.Partition
	}
	seen := c.flow.heights.seen()
	claims, locked, err := c.flow.cfg.Store.Claim(ctx, parts)
	if err != nil {
		c.failed(due, "claim", err)
		return
	}
	c.flow.health.up(postgres)
	c.flow.claimedAt(claims, seen)
	got, waiting, missing := sortOut(due, claims, locked)
	c.check(ctx, got)
	for _, w := range missing {
		c.missing(ctx, w)
	}
	c.flow.fetcher.poke() // once for all that were opened
	if len(waiting) > 0 {
		c.locked(ctx, waiting)
		c.flow.fetcher.poke()
	}
}

// sortOut matches the wishes with what became of them.
func sortOut(due []*wish, claims []sinkd.Claim, locked []sinkd.Partition) (got map[*wish]*sinkd.Claim, waiting, missing []*wish) {
	byPart := make(map[sinkd.Partition]*sinkd.Claim, len(claims))
	for i := range claims {
		byPart[claims[i].Partition] = &claims[i]
	}
	got = make(map[*wish]*sinkd.Claim, len(claims))
	for _, w := range due {
		switch cl := byPart[w.part.Partition]; {
		case cl != nil:
			got[w] = cl
		case slices.Contains(locked, w.part.Partition):
			waiting = append(waiting, w)
		default:
			missing = append(missing, w)
		}
	}
	return got, waiting, missing
}

// locked waits for the first of the rows that another transaction holds; the
// others come in the next round, since one transaction often holds them all.
func (c *claimer) locked(ctx context.Context, waiting []*wish) {
	w, seen := waiting[0], c.flow.heights.seen()
	cl, err := c.flow.cfg.Store.ClaimLocked(ctx, w.part.Partition)
	if err != nil {
		c.failed(waiting[:1], "claim a locked position", err)
		return
	}
	c.flow.claimedAt([]sinkd.Claim{cl}, seen)
	c.check(ctx, map[*wish]*sinkd.Claim{w: &cl})
}

// missing reports a known partition whose position row is gone.
func (c *claimer) missing(ctx context.Context, w *wish) {
	i := sinkd.Incident{
		Partition: w.part.Partition, Kind: sinkd.PositionMissing,
		Detail: "the position row of a known partition is gone; sinkd incidents ack ID --resume-from earliest makes it again",
	}
	if err := c.flow.cfg.Store.Report(ctx, i); err != nil {
		c.failed([]*wish{w}, "report a missing position", err)
		return
	}
	c.stop(w, halted)
}

// stop ends a wish without a claim.
func (c *claimer) stop(w *wish, to phase) {
	c.flow.assigned.set(w.part, to)
	c.flow.metrics.claim(string(to))
	c.forget(w)
}

// failed puts wishes off.
func (c *claimer) failed(ws []*wish, what string, err error) {
	for _, w := range ws {
		c.later(w)
	}
	c.flow.metrics.claim("failed")
	c.flow.health.failing(fmt.Errorf("cannot %s: %w", what, err), 0)
}
