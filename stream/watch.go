package stream

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/sinkd/sinkd"
)

const (
	// watchInterval is how soon an operator's command is noticed.
	watchInterval = 2 * time.Second
	// observeInterval is how often the ends of the log are listed.
	observeInterval = 10 * time.Second
)

// watch compares the position rows with what this process believes: an
// operator's pause, resume, reset or acknowledged incident, another writer's
// claim of a partition that has nothing to write.
func (f *Flow) watch(ctx context.Context) {
	for sleep(ctx, watchInterval) {
		asked, seen := time.Now(), f.heights.seen()
		rows, err := f.cfg.Store.Positions(ctx)
		if err != nil {
			if ctx.Err() == nil {
				f.health.failing(err, watchInterval)
			}
			continue
		}
		f.health.up(postgres)
		byPart := make(map[sinkd.Partition]sinkd.Position, len(rows))
		for _, r := range rows {
			byPart[r.Partition] = r
			f.rewound(r.Partition, place{r.Generation, r.Next}, seen[r.Partition])
		}
		for _, pt := range f.assigned.all() {
			if row, ok := byPart[pt.Partition]; ok {
				f.assigned.place(pt.Partition, row.Next)
				f.compare(ctx, pt, row, asked)
			}
		}
	}
}

// showInterval is how old the series of partitions may be.
const showInterval = time.Second

// show keeps the series of partitions, also while nobody answers.
func (f *Flow) show(ctx context.Context) {
	for sleep(ctx, showInterval) {
		held := f.assigned.all()
		for i := range held {
			f.showPart(&held[i])
		}
		f.metrics.partitions(held)
	}
}

// showPart shows how far a partition has come, where that is known.
func (f *Flow) showPart(pt *part) {
	if pt.queue == nil && !pt.placed {
		return
	}
	f.metrics.progress(pt.Partition, pt.progress())
	f.forgetGone(pt.Partition)
}

// forgetGone removes the series of a partition that was given up while they were
// set: another process has them now.
func (f *Flow) forgetGone(p sinkd.Partition) {
	if !f.assigned.has(p) {
		f.metrics.forget(p)
	}
}

// compare acts on the difference between a position row, read after asked, and
// the partition as this process holds it.
func (f *Flow) compare(ctx context.Context, pt part, row sinkd.Position, asked time.Time) {
	switch {
	case pt.queue == nil:
		if pt.phase != claiming && row.Halted == "" && !row.Paused {
			f.revive(pt.Partition)
		}
	case pt.queue.born.After(asked):
	case row.Paused || row.Halted != "":
		to := paused
		if row.Halted != "" {
			to = halted
		}
		if !pt.queue.close() {
			return
		}
		// The transaction under way may take its time; others are watched meanwhile.
		f.tasks.Go(func() {
			pt.queue.lane.release(ctx, pt.queue)
			f.close(pt.queue.claim, to)
			f.log.Info("partition "+string(to), slog.String("partition", pt.String()))
		})
	case row.Token != pt.queue.claim.Token:
		f.fenced([]*sinkd.Claim{pt.queue.claim})
	}
}

// revive asks for a claim of a partition that nothing stops any more.
func (f *Flow) revive(p sinkd.Partition) {
	f.assigned.mu.Lock()
	pt := f.assigned.parts[p]
	if pt == nil || pt.queue != nil {
		f.assigned.mu.Unlock()
		return
	}
	pt.phase = claiming
	f.assigned.mu.Unlock()
	f.claimer.ask([]*part{pt}, 0)
}

// observe looks at the brokers' side now and then, and when claims were made.
func (f *Flow) observe(ctx context.Context) {
	for {
		err := f.sight(ctx)
		switch {
		case err == nil:
			f.health.up(kafka)
		case ctx.Err() == nil:
			f.health.failing(err, observeInterval)
		}
		again := time.NewTimer(observeInterval)
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-f.opened:
			again.Stop()
		case <-again.C:
		}
	}
}

// sight lists the ends of the log, for lag, and for what others see in Postgres; and
// compares topic ids, for brokers whose fetch responses carry none. A topic that is
// no more, or is refused, does not keep it from the others.
func (f *Flow) sight(ctx context.Context) error {
	held := f.topicsHeld()
	if len(held) == 0 {
		return nil
	}
	now, refused := f.brokers.readable(ctx, held)
	f.identify(ctx, now)
	log, err := f.brokers.bounds(ctx, slices.Collect(maps.Keys(now))...)
	f.note(ctx, log)
	return cmp.Or(refused, err)
}

// topicsHeld gives the topics of which this process holds a partition.
func (f *Flow) topicsHeld() []string {
	var out []string
	seen := make(map[string]bool)
	for _, pt := range f.assigned.all() {
		if !seen[pt.Topic] {
			seen[pt.Topic] = true
			out = append(out, pt.Topic)
		}
	}
	return out
}

// note passes on what was listed of the partitions that this process holds.
func (f *Flow) note(ctx context.Context, log map[sinkd.Partition]bounds) {
	now := time.Now()
	var obs []sinkd.Observation
	for _, pt := range f.assigned.all() {
		b, ok := log[pt.Partition]
		if !ok {
			continue
		}
		f.assigned.extend(pt.Partition, b)
		f.metrics.bounds(pt.Partition, b)
		f.forgetGone(pt.Partition)
		if pt.queue != nil {
			pt.queue.listed(b.stable)
		}
		obs = append(obs, sinkd.Observation{
			Partition: pt.Partition, LogStart: b.start, End: b.stable, HighWatermark: b.high, At: now,
			Behind: f.metrics.age(pt.progress()),
		})
	}
	if len(obs) == 0 {
		return
	}
	if err := f.cfg.Store.Observe(ctx, obs); err != nil && ctx.Err() == nil {
		f.log.Warn("cannot note what was observed", slog.Any("error", err))
	}
}

// identify halts the partitions of topics that were made anew.
func (f *Flow) identify(ctx context.Context, now map[string]sinkd.Topic) {
	for _, pt := range f.assigned.all() {
		id := identity{now: now[pt.Topic], pinned: sinkd.Topic{ID: pt.topicID}}
		if pt.queue != nil && id.recreated() {
			f.stop(ctx, pt.queue, sinkd.TopicRecreated, "the topic's id is no longer the one that was claimed")
		}
	}
}
