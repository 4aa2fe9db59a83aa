package stream

import (
	"log/slog"
	"sort"
	"time"

	"github.com/sinkd/sinkd"
)

// patience is a partition's wait for a row that a foreign key refers to: it may
// be on its way in another lane or topic, even in another partition of the same
// lane. So the lane does not wait. It splits the batch until the refused record
// stands alone, puts all that it took of that partition from there on back to
// the front of its queue, and goes on with the others; the queue is not due
// before retry. The order of the partition stays, and so do claim and position.
//
// Each try stands alone in its batch, and takes the first record only or all
// that the queue has, by turns: the one finds out that the parent has come,
// whatever is missing behind it; the other lands rows that satisfy each other
// at a deferred constraint. Where it takes longer, nothing is read for
// the queue, and where memory is short the queue gives up most of what it holds,
// so that the budget is free for the parents.
//
// The time counts from the first refusal, anew after each row that has come.
// Once it is over, each record that was read by the first refusal (upto) and is
// still refused is bad data, without a wait of its own.
type patience struct {
	since time.Time
	upto  int64
	// retry is when the next try is due, zero where the queue does not wait;
	// tries counts them.
	retry time.Time
	tries int
	pause backoff
}

// waiting tells that the queue is between two tries.
func (w *patience) waiting() bool { return !w.retry.IsZero() }

// long tells that the wait was not over with the first tries.
func (w *patience) long() bool { return w.waiting() && w.tries > 3 }

// takes bounds what a try takes of n records.
func (w *patience) takes(n int) int {
	if w.waiting() && w.tries%2 == 1 {
		return min(n, 1)
	}
	return n
}

// landed ends the wait: the row has come, and the time of what lacks another one
// begins anew. Without a wait, its time is over for what was read by then.
func (w *patience) landed() {
	if w.waiting() {
		*w = patience{}
	}
}

// refused notes a refusal at an offset and tells when to try again; false where
// the time is over.
func (w *patience) refused(from, tail int64, now time.Time, limit time.Duration) bool {
	if w.since.IsZero() || from >= w.upto {
		w.since, w.upto = now, tail
	}
	left := limit - now.Sub(w.since)
	if left <= 0 {
		*w = patience{since: w.since, upto: w.upto}
		return false
	}
	w.retry = now.Add(min(w.pause.next(), left))
	w.tries++
	return true
}

// shed drops what the queue holds beyond keep bytes of the budget, at its end, if
// it waits and holds much more than that.
func (q *queue) shed(keep int64) {
	l := q.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	all := q.records.Len()
	if !q.wait.long() || all == 0 || q.held < 2*keep {
		return
	}
	compact := func(n int) int64 { return q.records.Size(n) + int64(n)*(sinkd.RefSize+recordOverhead) }
	n := max(1, sort.Search(all, func(i int) bool { return compact(i+1) > keep }))
	if n == all && q.held-compact(all) < keep {
		return
	}
	kept := q.records.Slice(0, n).Compact() // else it would keep the rest of its chunk
	dropped := q.held - cost(kept, n)
	l.count(q, n-all, kept.Size(n)-q.records.Size(all), -dropped)
	q.records = kept
	q.tail, q.epoch = kept.Offset(n-1)+1, kept.Epoch(n-1)
	l.flow.budget.add(-dropped)
}

// postpone puts the one range of a batch back, which a missing row keeps from
// landing; it answers false where that is not to be waited for, or the batch
// has to be split before.
func (l *lane) postpone(b *sinkd.Batch, e *sinkd.Error) bool {
	if !e.Wait || len(b.Ranges) > 1 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &b.Ranges[0]
	q := l.holder(r.Claim)
	if q == nil || q.closed {
		return true // it is lost, which land finds out
	}
	fresh := !q.wait.waiting()
	if fresh && r.Records.Len() > 1 {
		return false
	}
	if !q.wait.refused(r.From, q.tail, time.Now(), l.flow.cfg.ForeignKeyWait) {
		return false
	}
	if fresh {
		l.flow.log.Info("a row is missing that a foreign key refers to; the partition waits for it",
			slog.String("partition", q.claim.String()), slog.Int64("offset", r.From), slog.String("table", e.Table),
			slog.Duration("since", time.Since(q.wait.since)))
	}
	l.putBack(q, r.From)
	l.waits = true
	l.poke()
	return true
}

// putBack returns to the queue what was taken of it from an offset on. What was
// built from that is lost: ranges carry a copy of the claim, and the queue gets
// a new one. The mutex is held.
func (l *lane) putBack(q *queue, from int64) {
	var back sinkd.Records
	var sum int64 // of what they hold
	for _, fl := range l.flights {
		var held int64
		for i := range fl.batch.Ranges {
			if r := &fl.batch.Ranges[i]; r.Claim == q.stint {
				rest := r.Records.Slice(r.Records.Search(from), r.Records.Len())
				back.Append(rest)
				held += cost(rest, rest.Len())
			}
		}
		fl.cost -= held
		sum += held
	}
	n := back.Len()
	l.count(q, n, back.Size(n), sum)
	back.Append(q.records)
	q.records = back
	q.rate.spend(-n)
	q.taken = from
	stint := *q.claim
	q.stint = &stint
}

// holder gives the queue that ranges with this claim were taken from, nil where
// they are lost. The mutex is held.
func (l *lane) holder(c *sinkd.Claim) *queue {
	for _, q := range l.queues {
		if q.stint == c {
			return q
		}
	}
	return nil
}
