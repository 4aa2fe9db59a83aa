package stream

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sinkd/sinkd"
)

// renewals are topics whose id the brokers no longer know by what the group's
// client says. It keeps to the id that it saw first, for good reason; but where
// a person has acknowledged that the topic was made anew, it has to give the
// topic up and subscribe to it again.
type renewals struct {
	mu sync.Mutex
	// refused are topics whose claims the brokers refused to read; underway
	// those that are being given up.
	refused, underway map[string]bool
}

func newRenewals() *renewals {
	return &renewals{refused: make(map[string]bool), underway: make(map[string]bool)}
}

// refuse notes that the client could not read the topic by its id.
func (r *renewals) refuse(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused[topic] = true
}

// begin tells whether claims of the topic are of no use to the client, and
// whether it is the caller who has to mend that.
func (r *renewals) begin(topic string) (useless, mine bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.underway[topic] {
		return true, false
	}
	if !r.refused[topic] {
		return false, false
	}
	delete(r.refused, topic)
	r.underway[topic] = true
	return true, true
}

func (r *renewals) end(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.underway, topic)
}

// renew tells whether a good claim of the topic cannot be read because the
// client knows another topic by that name, and lets it take up this one: the
// partitions are revoked, and come back with the topic.
func (f *Flow) renew(ctx context.Context, topic string) bool {
	useless, mine := f.renewals.begin(topic)
	if mine {
		f.log.Info("subscribing to a topic again, which has another id by now", slog.String("topic", topic))
		f.tasks.Go(func() {
			defer f.renewals.end(topic)
			f.client.PurgeTopicsFromConsuming(topic)
			// Added before they are revoked, the partitions would seem to have
			// stayed, and nothing would fetch them.
			for f.holdsAny(topic) && sleep(ctx, pollPatience) {
			}
			f.client.AddConsumeTopics(topic)
			f.client.ForceMetadataRefresh() // patterns find it by themselves, with the next metadata
		})
	}
	return useless
}

// orphanPatience is how long a partition stays unread that the client gave up.
const orphanPatience = 15 * time.Second

// orphaned deals with an error of a partition that this process was to read and
// never asked for: the client drops a partition whose committed offset it cannot
// fetch, for a right that is missing, say, and nothing in its session asks for
// it again. After a while the topic is subscribed to again.
func (f *Flow) orphaned(ctx context.Context, at sinkd.Partition, err error) {
	if f.assigned.has(at) {
		return // it is paused, or its claim has ended
	}
	f.log.Error("the client gave a partition up; subscribing to its topic again later",
		slog.String("partition", at.String()), slog.Any("error", err), slog.Duration("in", orphanPatience))
	f.health.failing(fmt.Errorf("read %s: %w", at, err), orphanPatience)
	f.tasks.Go(func() {
		if sleep(ctx, orphanPatience) && !f.assigned.has(at) {
			f.renewals.refuse(at.Topic)
			f.renew(ctx, at.Topic)
		}
	})
}

// holdsAny tells whether a partition of the topic is assigned to this process.
func (f *Flow) holdsAny(topic string) bool {
	for _, pt := range f.assigned.all() {
		if pt.Topic == topic {
			return true
		}
	}
	return false
}
