package stream

import (
	"context"
	"log/slog"
	"time"

	"github.com/sinkd/sinkd"
)

// idleHandover is from when on a first commit ends no hand-over, where nothing
// was left to read when the claim was made: the topic was quiet.
const idleHandover = 10 * time.Second

// takenOver tells that the first commit of the claim, now, ends a hand-over. The
// lane's mutex is held.
func (q *queue) takenOver(now time.Time) bool {
	return !q.claim.Released.IsZero() && (q.backlog || now.Sub(q.born) < idleHandover)
}

// handedOver measures the hand-overs that ended with the claims' first commits;
// nobody waits for it.
func (f *Flow) handedOver(claims []*sinkd.Claim) {
	if len(claims) == 0 {
		return
	}
	f.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), claimPatience/2)
		defer cancel()
		took, err := f.cfg.Store.Handovers(ctx, claims)
		if err != nil {
			f.log.Warn("cannot measure a hand-over", slog.Any("error", err))
			return
		}
		for _, d := range took {
			f.metrics.handovers.Observe(d.Seconds())
		}
	})
}
