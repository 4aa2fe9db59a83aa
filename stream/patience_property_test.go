package stream

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
)

// end is where the logs of TestWaitsKeepOrderAndMemory end.
const end = 300

// picky is a keeper that refuses some records for themselves as well, and keeps
// in which order the records of a partition land, dead or not.
type picky struct {
	*keeper
	took map[int32][]int64
}

func (p *picky) Apply(ctx context.Context, lane int, b *sinkd.Batch) error {
	time.Sleep(time.Duration(rand.N(50)) * time.Millisecond)
	if rec := p.refuses(b); rec != nil {
		e := &sinkd.Error{Class: sinkd.Data, Err: errors.New("refused")}
		if rec.Offset%2 == 0 {
			e.Record = rec
		}
		return e
	}
	if err := p.keeper.Apply(ctx, lane, b); err != nil {
		return err
	}
	for _, r := range b.Ranges {
		for _, rec := range r.Records.All() {
			p.took[r.Claim.ID] = append(p.took[r.Claim.ID], rec.Offset)
		}
	}
	return nil
}

func (p *picky) refuses(b *sinkd.Batch) *sinkd.Record {
	for _, r := range b.Ranges {
		for n, rec := range r.Records.All() {
			if len(b.Dead) == 0 && rec.Offset%17 == 11 {
				return r.Records.At(n)
			}
		}
	}
	return nil
}

// marked feeds a log in which some offsets are markers.
func marked(l *lane, q *queue, n int) {
	if n = min(n, int(end-q.tail)); n > 0 {
		recs := slices.DeleteFunc(records(q.claim.ID, q.tail, n), func(r *sinkd.Record) bool { return r.Offset%13 == 5 })
		l.flow.budget.add(q.push(q.tail, &piece{records: sinkd.RecordsOf(recs...), next: q.tail + int64(n), epoch: -1}))
	}
}

// TestWaitsKeepOrderAndMemory lets partitions come, go, wait and give memory up
// at random: all records land, in order, and in the end nothing is held.
func TestWaitsKeepOrderAndMemory(t *testing.T) {
	var want []int64
	for at := range int64(end) {
		if at%13 != 5 {
			want = append(want, at)
		}
	}
	for range 40 {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) {
			p, l, queues := muddle(t, rand.New(rand.NewPCG(seed, 0)))
			for slices.ContainsFunc(queues, func(q *queue) bool { return q.position() < end }) {
				for _, q := range queues {
					marked(l, q, end)
				}
				time.Sleep(time.Minute)
			}
			time.Sleep(time.Minute)
			for i := range queues {
				if !slices.Equal(p.took[int32(i)], want) {
					t.Errorf("partition %d: landed %v", i, p.took[int32(i)])
				}
			}
			rest(t, l)
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// muddle does to a lane what can happen to it.
func muddle(t *testing.T, r *rand.Rand) (*picky, *lane, []*queue) {
	t.Helper()
	k := &keeper{needs: map[int64]int64{}}
	for range 10 {
		k.needs[r.Int64N(end)] = r.Int64N(end + 20)
	}
	p := &picky{keeper: k, took: map[int32][]int64{}}
	l, parent, child := workOn(t, k, func(f *Flow) {
		f.cfg.Store, f.cfg.MaxRate, f.cfg.BatchRecords = p, []int{0, 50}[r.IntN(2)], 1+r.IntN(60)
	})
	queues := []*queue{parent, child, l.with(2, 0), l.with(3, 0)}
	for range 400 {
		time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
		i := r.IntN(len(queues))
		switch q := queues[i]; r.IntN(10) {
		case 0:
			l.release(t.Context(), q)
			k.mu.Lock()
			next := k.next[q.claim.ID]
			k.mu.Unlock()
			queues[i] = l.open(&claimed{claim: &sinkd.Claim{Partition: q.claim.Partition, Token: uuid.New(), Next: next, Epoch: -1}})
		case 1, 2:
			q.shed(int64(500 + r.IntN(3000)))
		default:
			marked(l, q, r.IntN(20))
		}
	}
	return p, l, queues
}
