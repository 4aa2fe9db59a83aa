package stream

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// sweepInterval is the longest time between two looks at what is to be read,
	// and the least between two looks at queues that wait.
	sweepInterval = 20 * time.Millisecond
	// lookInterval is how soon a queue is looked at that nothing tells of: one
	// whose next try is due.
	lookInterval = 100 * time.Millisecond
)

// fetcher reads the partitions that this process has claims of. It asks each
// broker for all of its partitions that can use more records, by one fetch at a
// time, and puts what it brings into the queues that it asked for: a fetch is of
// one claim of each partition, at the tail of its queue, and what comes for a
// queue that has another tail by now, or is no more, is dropped.
type fetcher struct {
	flow    *Flow
	log     *logReader
	leaders leaders
	growth  *growth
	// wake is poked when something may have changed of what is to be read.
	wake chan struct{}
	// running are the fetches under way.
	running sync.WaitGroup
	// turn counts whose turn it was; swept is when queues that wait were looked at.
	turn  uint64
	swept time.Time

	mu sync.Mutex
	// busy are the brokers that a fetch is under way to, soon tells that there is
	// more to be asked for before long.
	busy map[int32]bool
	soon bool
}

// cursor is how a queue is read. It is the fetcher's; while a fetch for the queue
// is under way, that fetch's.
type cursor struct {
	// busy tells that one is. The fetcher's mutex guards it.
	busy bool
	// led is when it was last the queue's turn: to be asked for first, or first of
	// those that are behind.
	led uint64
	// follower is the broker that the leader would rather have asked, in place of
	// itself, and followed since when; -1 where the leader is asked.
	follower int32
	followed time.Time
	// checked is the leader epoch under which the queue's tail is known to be in
	// the log.
	checked int32
	// retry is when to ask again after a failure, unknown how often in a row the
	// brokers did not know the topic, or what is the matter.
	retry   time.Time
	wait    backoff
	unknown int
}

// read is a queue that is asked for.
type read struct {
	spot
	queue *queue
	// backlog is how many offsets it is known to be behind; 0 or less where all that
	// is known was read.
	backlog int64
	// epoch is the leader epoch of what was read last, -1 if unknown.
	epoch int32
	*cursor
}

func newFetcher(f *Flow) *fetcher {
	return &fetcher{
		flow: f, log: newLogReader(&f.cfg.Kafka), wake: make(chan struct{}, 1), busy: make(map[int32]bool),
		growth: newGrowth(&f.cfg),
	}
}

// poke tells that there may be something to read.
func (f *fetcher) poke() { poke(f.wake) }

// run reads until the context ends.
func (f *fetcher) run(ctx context.Context) {
	defer f.running.Wait()
	timer := time.NewTimer(lookInterval)
	defer timer.Stop()
	for ctx.Err() == nil {
		f.dispatch(ctx)
		f.regulate()
		timer.Reset(lookInterval)
		select {
		case <-ctx.Done():
		case <-f.wake:
		case <-f.flow.budget.freed:
		case <-timer.C:
		}
	}
}

// dispatch begins a fetch to each broker that has something to be read and that
// none is under way to.
func (f *fetcher) dispatch(ctx context.Context) {
	now := time.Now()
	reads := f.hungry(now)
	if f.leaders.begin(now) {
		f.running.Go(func() { f.lead(ctx) })
	}
	for broker, of := range reads {
		f.running.Go(func() {
			f.fetch(ctx, broker, of)
			f.done(broker, of)
		})
	}
}

// lead asks who leads the partitions. The claims of those that are not there any
// more are ended: the check of new ones tells what is the matter.
func (f *fetcher) lead(ctx context.Context) {
	read := f.flow.assigned.queues()
	gone, err := f.leaders.ask(ctx, f.flow.client, f.flow.topicsHeld(), read)
	if ctx.Err() != nil {
		return
	}
	leading := make(map[int32]bool)
	for _, q := range read {
		if at, ok := f.leaders.of(q.claim.Partition, q.topicID); ok {
			leading[at.broker] = true
		}
	}
	if err != nil {
		err = fmt.Errorf("ask for the leaders of partitions: %w", err)
	}
	f.flow.health.led(err, leading)
	for _, q := range gone {
		f.end(q)
	}
	f.poke()
}

// fetchBacklog is how many offsets a fetch is worth: it brings about as many records
// of moderate size.
const fetchBacklog = 30_000

// hungry gives the queues that are to be asked for now, by broker: those that are
// behind in turn, as many as a fetch may bring something of, for each costs the
// broker time; and all that may have something new.
func (f *fetcher) hungry(now time.Time) map[int32][]*read {
	if f.flow.budget.spent() {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	lists, soon := make([][]*read, len(f.flow.lanes)), false
	for i, l := range f.flow.lanes {
		var sated bool
		lists[i], sated = l.hungry(now)
		soon = soon || sated
	}
	reads := interleave(lists)
	// Brokers give of the first what they can.
	slices.SortStableFunc(reads, func(a, b *read) int { return cmp.Compare(a.led, b.led) })
	f.soon = soon
	return f.share(reads, now)
}

// share gives each broker that is not asked those of the reads that it is to be asked
// for, in their order. The mutex is held.
func (f *fetcher) share(reads []*read, now time.Time) map[int32][]*read {
	out, backlog := make(map[int32][]*read), make(map[int32]int64)
	for _, r := range reads {
		if r.retry.After(now) {
			continue
		}
		broker, ok := f.broker(r)
		if !ok || f.busy[broker] {
			continue
		}
		behind := max(r.backlog, 0)
		if behind > 0 && backlog[broker] >= fetchBacklog {
			f.soon = true
			continue
		}
		if len(out[broker]) == 0 || behind > 0 && backlog[broker] == 0 {
			f.turn++
			r.led = f.turn
		}
		backlog[broker] += behind
		r.busy = true
		out[broker] = append(out[broker], r)
	}
	for broker := range out {
		f.busy[broker] = true
	}
	return out
}

// interleave takes from the lists in turn: what comes first is given first, so
// no lane comes behind another.
func interleave(lists [][]*read) (out []*read) {
	for n := 0; ; n++ {
		more := false
		for _, list := range lists {
			if n < len(list) {
				out, more = append(out, list[n]), true
			}
		}
		if !more {
			return out
		}
	}
}

// broker says whom to ask.
func (f *fetcher) broker(r *read) (int32, bool) {
	at, ok := f.leaders.of(r.Partition, r.topicID)
	if !ok {
		return -1, false
	}
	r.leaderEpoch = at.epoch
	if r.follower >= 0 && !r.doubtful() && time.Since(r.followed) < metadataAge {
		return r.follower, true
	}
	r.follower = -1
	return at.broker, true
}

// done ends a fetch.
func (f *fetcher) done(broker int32, reads []*read) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range reads {
		r.busy = false
	}
	delete(f.busy, broker)
	f.poke()
}

// fetch asks a broker for queues, and puts what it answers into them.
func (f *fetcher) fetch(ctx context.Context, broker int32, reads []*read) {
	reads = f.check(ctx, broker, reads)
	if len(reads) == 0 {
		return
	}
	spots := make([]spot, len(reads))
	for i, r := range reads {
		spots[i] = r.spot
	}
	answers, err := f.flow.cfg.Kafka.fetch(ctx, f.flow.client.Broker(int(broker)), spots, f.extent(spots))
	if err != nil {
		f.unanswered(ctx, broker, reads, err)
		return
	}
	f.flow.health.gave(broker)
	full, brought := 0, false
	for _, rp := range answers {
		if rp != nil && len(rp.RecordBatches) > 0 {
			full++
		}
	}
	for i, rp := range answers {
		if rp == nil {
			f.again(reads[i])
			continue
		}
		brought = f.answered(ctx, reads[i], rp, full == 1) || brought
	}
	if full > 0 && !brought { // It would be asked for the same again, at once.
		for _, r := range reads {
			f.again(r)
		}
	}
}

// extent is how much to ask a broker for now. What is not asked for has to wait for
// its answer, so that is to come soon where there is more to read, or a lane only
// has to land a batch before it needs more.
func (f *fetcher) extent(spots []spot) extent {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := extent{bytes: f.growth.bound(spots, len(f.busy)), wait: fetchWait}
	if f.soon {
		e.wait = soonWait
	}
	return e
}

// regulate has queues that wait give memory up where others need it: where many
// wait for missing rows, the budget would be spent, and the rows that they wait
// for never read. All queues together keep an eighth at most; the rest is read
// again.
func (f *fetcher) regulate() {
	if time.Since(f.swept) < sweepInterval {
		return
	}
	f.swept = time.Now()
	limit := f.flow.budget.limit
	queues := 0
	for _, l := range f.flow.lanes {
		queues += l.claims()
	}
	for _, l := range f.flow.lanes {
		if l.holds() < limit/4 && f.flow.budget.used.Load() <= limit/2 {
			continue
		}
		for _, q := range l.all() {
			q.shed(limit / int64(16*max(queues, 1)))
		}
	}
}
