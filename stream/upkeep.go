package stream

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
)

// Keeper keeps the bookkeeping small.
type Keeper interface {
	// MergeLedger merges the claim's ranges that are older, from a place on, where
	// the claim still holds; next is where the next call may begin.
	MergeLedger(ctx context.Context, c *sinkd.Claim, older time.Duration, at sinkd.LedgerPlace) (next sinkd.LedgerPlace, more bool, err error)
	// ExpireLetters deletes some of the dead letters that are older.
	ExpireLetters(ctx context.Context, older time.Duration) (more bool, err error)
}

// Upkeep says what is kept for how long.
type Upkeep struct {
	// Keeper is nil where there is nothing to keep.
	Keeper Keeper
	// LedgerDetail is how old ranges get before they are merged, LetterRetention
	// how old dead letters get; 0 = for ever.
	LedgerDetail, LetterRetention time.Duration
}

// upkeepInterval is how often old things are looked for, at most.
const upkeepInterval = time.Minute

// interval is how often old things are looked for: what is kept for a short time
// does not get much older.
func (u *Upkeep) interval() time.Duration {
	every := upkeepInterval
	for _, d := range []time.Duration{u.LedgerDetail, u.LetterRetention} {
		if d > 0 {
			every = min(every, max(d/2, time.Second))
		}
	}
	return every
}

// upkeep merges the ledger of the partitions that this process holds, and deletes
// dead letters of the pipeline, a little at a time, between the claims and halts
// that use the same session.
func (f *Flow) upkeep(ctx context.Context) {
	u := &f.cfg.Upkeep
	if u.Keeper == nil {
		return
	}
	places := make(map[uuid.UUID]sinkd.LedgerPlace)
	for sleep(ctx, u.interval()) {
		err := f.mergeLedgers(ctx, places)
		if err == nil && u.LetterRetention > 0 {
			err = f.expireLetters(ctx)
		}
		if err != nil && ctx.Err() == nil {
			f.log.Warn("cannot tidy the bookkeeping, trying again later", slog.Any("error", err))
		}
	}
}

// mergeLedgers goes on where it was for each claim.
func (f *Flow) mergeLedgers(ctx context.Context, places map[uuid.UUID]sinkd.LedgerPlace) error {
	held := make(map[uuid.UUID]bool)
	for _, pt := range f.assigned.all() {
		if pt.queue == nil || f.cfg.Upkeep.LedgerDetail <= 0 {
			continue
		}
		c := pt.queue.claim
		held[c.Token] = true
		for more := true; more && ctx.Err() == nil; {
			next, again, err := f.cfg.Upkeep.Keeper.MergeLedger(ctx, c, f.cfg.Upkeep.LedgerDetail, places[c.Token])
			if err != nil {
				return err
			}
			places[c.Token], more = next, again
		}
	}
	for token := range places {
		if !held[token] {
			delete(places, token)
		}
	}
	return nil
}

func (f *Flow) expireLetters(ctx context.Context) error {
	for more := true; more && ctx.Err() == nil; {
		var err error
		if more, err = f.cfg.Upkeep.Keeper.ExpireLetters(ctx, f.cfg.Upkeep.LetterRetention); err != nil {
			return err
		}
	}
	return nil
}
