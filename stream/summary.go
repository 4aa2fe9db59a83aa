package stream

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sinkd/sinkd"
)

// summaryInterval is how often a line sums up what landed, while there is
// traffic. Batches and records get no line of their own.
const summaryInterval = 10 * time.Second

// tally counts what landed since the last summary.
type tally struct {
	mu            sync.Mutex
	batches       int
	records       int
	rows, skipped int
	dead          int
	bytes         int64
}

func (t *tally) add(b *sinkd.Batch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batches++
	for i := range b.Ranges {
		c := &b.Ranges[i].Count
		t.records += b.Ranges[i].Records.Len()
		t.rows += c.Rows
		t.skipped += c.Skipped
		t.dead += c.Dead
		t.bytes += c.Bytes
	}
}

// take gives the counts and begins anew.
func (t *tally) take() []slog.Attr {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.batches == 0 {
		return nil
	}
	attrs := []slog.Attr{
		slog.Int("batches", t.batches), slog.Int("records", t.records), slog.Int("rows", t.rows),
		slog.Int("skipped", t.skipped), slog.Int("dead", t.dead), slog.Int64("bytes", t.bytes),
	}
	t.batches, t.records, t.rows, t.skipped, t.dead, t.bytes = 0, 0, 0, 0, 0, 0
	return attrs
}

// sumUp writes the line every now and then, and once more at the end.
func (f *Flow) sumUp(ctx context.Context) {
	for {
		more := sleep(ctx, summaryInterval)
		if attrs := f.tally.take(); attrs != nil {
			attrs = append(attrs, slog.Int64("lag_records", f.lag()))
			f.log.LogAttrs(context.WithoutCancel(ctx), slog.LevelInfo, "landed", attrs...)
		}
		if !more {
			return
		}
	}
}

// lag counts the offsets that the partitions of this process are behind.
func (f *Flow) lag() int64 {
	var sum int64
	for _, pt := range f.assigned.all() {
		if pt.queue != nil {
			at := pt.queue.progress()
			sum += max(at.known-at.landed, 0)
		}
	}
	return sum
}
