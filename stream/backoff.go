package stream

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff grows from 100 ms to 5 s by doubling, with jitter.
type backoff struct{ n int }

// next gives the pause before the next attempt.
func (b *backoff) next() time.Duration {
	d := min(100*time.Millisecond<<min(b.n, 6), 5*time.Second)
	b.n++
	return d/2 + rand.N(d/2+1)
}

// sleep waits, and answers false where the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
