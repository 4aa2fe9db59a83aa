package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// ranges gives the ledger of partition 0 as text.
func (f *fixture) ranges() string {
	return one[string](f, `SELECT string_agg(concat(kind, ' ', generation, ' ', from_offset, '-', until_offset, ' ', records, '=', rows, '+', skipped, '+', dead), ', '
		ORDER BY generation, from_offset) FROM sinkd.batches WHERE partition = 0`)
}

// proven checks the ledger as verify does.
func (f *fixture) proven(s *store.Store) {
	f.Helper()
	v, err := s.Verify(f.Context())
	f.must(err)
	defer v.Close()
	l, err := v.Ledger(f.Context(), "")
	f.must(err)
	if len(l.Flaws) > 0 {
		f.Errorf("flaws: %+v", l.Flaws)
	}
}

// aged lets the ranges that end at or before until have been committed hours ago.
func (f *fixture) aged(until int64, hours int) {
	f.Helper()
	f.exec(`UPDATE sinkd.batches SET committed_at = date_trunc('hour', now()) - $2 * interval '1 hour' + interval '10 minutes'
		WHERE until_offset <= $1 AND committed_at > now() - interval '1 hour'`, until, hours)
}

func TestMergeLedger(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	apply := func(from0, until int64, dead ...int64) {
		f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, from0, until)), dead...)))
	}
	apply(0, 5, 2)
	apply(5, 10)
	apply(10, 12)
	f.aged(12, 9)
	apply(12, 15)
	apply(15, 20, 16, 17)
	f.aged(20, 8)
	moved, err := s.Skip(f.Context(), sinkd.Skip{Claim: &sinkd.Claim{Partition: c.Partition, Token: c.Token, Next: 20, Generation: c.Generation}, Until: 30, Cause: "gone"})
	f.must(err)
	c = &moved
	apply(30, 35)
	apply(35, 40)
	f.aged(40, 7)
	apply(40, 45)
	_, _, err = s.MergeLedger(f.Context(), c, time.Hour, sinkd.LedgerPlace{})
	f.must(err)
	if got, want := f.ranges(), "merged 1 0-12 12=11+0+1, merged 1 12-20 8=6+0+2, skip 1 20-30 0=0+0+0, merged 1 30-40 10=10+0+0, batch 1 40-45 5=5+0+0"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	f.proven(s)

	// The newest range stays, however old it is; another generation stays apart.
	f.aged(45, 7)
	f.exec(`UPDATE sinkd.batches SET committed_at = committed_at - interval '7 hours' WHERE committed_at > now() - interval '1 hour'`)
	_, _, err = s.MergeLedger(f.Context(), c, time.Hour, sinkd.LedgerPlace{})
	f.must(err)
	if got := one[int](f, `SELECT count(*) FROM sinkd.batches WHERE kind = 'batch'`); got != 1 {
		t.Errorf("the newest range is merged: %s", f.ranges())
	}
	if _, err := s.Move(f.Context(), move(map[int32]int64{0: 45})); err != nil {
		t.Fatal(err)
	}
	c = f.claim(s)
	apply(45, 50)
	apply(50, 55)
	apply(55, 60)
	f.aged(55, 7)
	_, _, err = s.MergeLedger(f.Context(), c, time.Hour, sinkd.LedgerPlace{})
	f.must(err)
	if got, want := f.ranges(), "merged 1 0-12 12=11+0+1, merged 1 12-20 8=6+0+2, skip 1 20-30 0=0+0+0, merged 1 30-45 15=15+0+0, merged 2 45-55 10=10+0+0, batch 2 55-60 5=5+0+0"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	f.proven(s)
}

// Who has lost the claim merges nothing.
func TestMergeLedgerComparesTheClaim(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	old := f.claim(s)
	for n := range int64(4) {
		f.must(s.Apply(f.Context(), 0, f.batch(from(old, n, n+1))))
	}
	f.aged(4, 7)
	c := f.claim(f.open())
	if _, _, err := s.MergeLedger(f.Context(), old, time.Hour, sinkd.LedgerPlace{}); err != nil {
		t.Fatal(err)
	}
	if n := one[int](f, `SELECT count(*) FROM sinkd.batches`); n != 4 {
		t.Errorf("%d ranges", n)
	}
	next, more, err := s.MergeLedger(f.Context(), c, time.Hour, sinkd.LedgerPlace{})
	if f.must(err); more || next != (sinkd.LedgerPlace{Generation: 1, From: 0}) {
		t.Errorf("%+v, %t", next, more)
	}
	if got := f.ranges(); got != "merged 1 0-3 3=3+0+0, batch 1 3-4 1=1+0+0" {
		t.Error(got)
	}
}

// Batches, replays and several mergers at once leave a whole ledger.
func TestMergeLedgerWhileAtWork(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ended := make(chan struct{})
	group, ctx := errgroup.WithContext(t.Context())
	for range 3 {
		other := f.open()
		group.Go(func() error {
			var at sinkd.LedgerPlace
			for {
				select {
				case <-ended:
					return nil
				case <-ctx.Done():
					return nil
				default:
				}
				var err error
				if at, _, err = other.MergeLedger(ctx, c, time.Millisecond, at); err != nil {
					return fmt.Errorf("merge: %w", err)
				}
			}
		})
	}
	replayer := f.open()
	group.Go(func() error {
		for {
			select {
			case <-ended:
				return nil
			case <-ctx.Done():
				return nil
			default:
			}
			if _, err := replayer.Replay(ctx, f.replay()); err != nil {
				return fmt.Errorf("replay: %w", err)
			}
		}
	})
	var at int64
	for range 120 {
		until := at + 1 + random.Int64N(20)
		b := f.batch(from(c, at, until))
		for offset := at; offset < until; offset++ {
			if random.IntN(4) == 0 {
				f.kill(b, offset)
			}
		}
		f.must(s.Apply(f.Context(), 0, b))
		at = until
	}
	close(ended)
	f.must(group.Wait())
	if _, err := replayer.Replay(f.Context(), f.replay()); err != nil {
		t.Fatal(err)
	}
	f.proven(s)
	f.landed(at)
	if n := one[int](f, `SELECT count(*) FROM sinkd.batches WHERE kind = 'merged'`); n == 0 {
		t.Error("nothing was merged")
	}
}

func TestExpireLetters(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(f.claim(s), 0, 2000)), offsets(0, 1299)...)))
	f.exec(`UPDATE sinkd.dead_letters SET failed_at = now() - interval '3 days' WHERE record_offset < 1100`)
	var left []int
	for _, want := range []bool{true, false, false} {
		more, err := s.ExpireLetters(f.Context(), 48*time.Hour)
		if f.must(err); more != want {
			t.Errorf("more: %t, want %t", more, want)
		}
		left = append(left, one[int](f, `SELECT count(*) FROM sinkd.dead_letters`))
	}
	if fmt.Sprint(left) != "[300 200 200]" {
		t.Errorf("left %v", left)
	}
	if n := one[int](f, `SELECT count(*) FROM sinkd.operations WHERE operation = 'dead-letters expire' AND topic = 't'`); n != 2 {
		t.Errorf("recorded %d times", n)
	}
	f.proven(s)
}
