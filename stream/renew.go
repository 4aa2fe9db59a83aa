package stream

import (
	"context"
	"log/slog"
	"sync"
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

// holdsAny tells whether a partition of the topic is assigned to this process.
func (f *Flow) holdsAny(topic string) bool {
	for _, pt := range f.assigned.all() {
		if pt.Topic == topic {
			return true
		}
	}
	return false
}
