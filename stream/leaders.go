package stream

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/sinkd/sinkd"
)

// leader is who leads a partition, and since which epoch.
type leader struct {
	broker, epoch int32
	topicID       [16]byte
}

// leaders are those of the partitions that this process reads, as the brokers
// told last.
type leaders struct {
	mu sync.Mutex
	at map[sinkd.Partition]leader
	// stale tells that they are to be asked for anew, asking that they are, due
	// when they may be again.
	stale, asking bool
	due           time.Time
	asked         time.Time
	wait          backoff
}

// of gives the leader of a partition, where there is one.
func (l *leaders) of(p sinkd.Partition) (leader, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.at[p]
	if !ok {
		l.stale = true
	}
	return at, ok
}

// doubt has the leaders asked for anew: one of them is none, or does not answer.
func (l *leaders) doubt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stale = true
}

// begin tells whether the caller has to ask for them now: where one of them is
// wanted, and not long after.
func (l *leaders) begin(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asking || now.Before(l.due) || !l.stale && (l.asked.IsZero() || now.Sub(l.asked) < metadataAge) {
		return false
	}
	l.asking = true
	return true
}

// leaderInterval is the least time between two times that the leaders are asked
// for.
const leaderInterval = 100 * time.Millisecond

// ask asks for the leaders of the topics.
func (l *leaders) ask(ctx context.Context, admin *kadm.Client, topics []string) error {
	ctx, cancel := context.WithTimeout(ctx, claimPatience)
	defer cancel()
	var m kadm.Metadata
	var err error
	if len(topics) > 0 { // else all topics would be described
		m, err = admin.Metadata(ctx, topics...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking = false
	if err != nil {
		l.due = time.Now().Add(l.wait.next())
		return err
	}
	l.asked, l.stale = time.Now(), false
	now, whole := make(map[sinkd.Partition]leader, len(l.at)), true
	for name, t := range m.Topics {
		for id, d := range t.Partitions {
			p := sinkd.Partition{Topic: name, ID: id}
			next := leader{broker: d.Leader, epoch: d.LeaderEpoch, topicID: t.ID}
			// A broker that lags behind tells of former ones.
			if old, ok := l.at[p]; ok && old.topicID == next.topicID && old.epoch > next.epoch {
				next = old
			}
			if next.broker < 0 {
				whole = false
				continue
			}
			now[p] = next
		}
	}
	l.at, l.due = now, time.Now().Add(leaderInterval)
	if whole {
		l.wait = backoff{}
	} else { // They are asked for without end.
		l.due = time.Now().Add(min(l.wait.next(), time.Second))
	}
	return nil
}
