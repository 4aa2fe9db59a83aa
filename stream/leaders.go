package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
)

// leader is who leads a partition, and since which epoch.
type leader struct {
	// broker is -1 where nobody does at the moment.
	broker, epoch int32
	topicID       [16]byte
	// older counts the answers in a row that told of an older epoch.
	older int
}

// leaders are those of the partitions that this process reads, as the brokers
// told last.
type leaders struct {
	mu sync.Mutex
	at map[sinkd.Partition]leader
	// absent counts the answers in a row without a partition that is read.
	absent map[sinkd.Partition]int
	// stale tells that they are to be asked for anew, asking that they are, due
	// when they may be again.
	stale, asking bool
	due           time.Time
	asked         time.Time
	wait          backoff
}

// of gives the leader of a partition of the topic that is meant, where there is
// one.
func (l *leaders) of(p sinkd.Partition, topic [16]byte) (leader, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.at[p]
	if ok = ok && at.broker >= 0 && !differ(at.topicID, topic); !ok {
		l.stale = true
	}
	return at, ok
}

// differ tells that ids are of two topics. Brokers that know of none give zeros.
func differ(a, b [16]byte) bool { return a != b && a != [16]byte{} && b != [16]byte{} }

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

const (
	// leaderInterval is the least time between two times that the leaders are
	// asked for; doubled up to slowInterval while one is missing.
	leaderInterval = 100 * time.Millisecond
	slowInterval   = time.Second
	// unknownLimit is how often brokers may not know a topic, or a partition,
	// before it counts: one that was just made, they do not know all at once.
	unknownLimit = 5
	// olderLimit is how often they may tell of an older leader epoch: one that
	// lags behind does so, but where all do, a cluster went back to a former state.
	olderLimit = 5
)

// ask asks for the leaders of the topics. It fails where a queue that is read has
// none, and gives those whose partitions have not been there for long.
func (l *leaders) ask(ctx context.Context, client *kgo.Client, topics []string, read []*queue) (gone []*queue, err error) {
	resp, err := describe(ctx, client, topics)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking = false
	if err != nil {
		l.due = time.Now().Add(l.wait.next())
		return nil, err
	}
	gone, err = l.judge(read, l.learn(resp))
	l.asked, l.stale = time.Now(), err != nil
	if err != nil { // They are asked for without end.
		l.due = l.asked.Add(min(l.wait.next(), slowInterval))
	} else {
		l.due, l.wait = l.asked.Add(leaderInterval), backoff{}
	}
	return gone, err
}

// describe asks for topics, each of which the answer judges by itself.
func describe(ctx context.Context, client *kgo.Client, topics []string) (*kmsg.MetadataResponse, error) {
	if len(topics) == 0 { // all would be described
		return kmsg.NewPtrMetadataResponse(), nil
	}
	req := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = &topic
		req.Topics = append(req.Topics, rt)
	}
	ctx, cancel := context.WithTimeout(ctx, claimPatience)
	defer cancel()
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	return resp, err
}

// learn notes who leads what, and gives the topics that could not be described,
// of which what was known still holds. The mutex is held.
func (l *leaders) learn(resp *kmsg.MetadataResponse) (failed map[string]error) {
	now := make(map[sinkd.Partition]leader, len(l.at))
	failed = make(map[string]error)
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil {
			continue
		}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			failed[*t.Topic] = err
		}
		for _, d := range t.Partitions {
			p := sinkd.Partition{Topic: *t.Topic, ID: d.Partition}
			next := leader{broker: d.Leader, epoch: d.LeaderEpoch, topicID: t.TopicID}
			if d.ErrorCode != 0 {
				next.broker = -1
			}
			now[p] = l.believe(p, next)
		}
	}
	for p, old := range l.at {
		if failed[p.Topic] != nil {
			now[p] = old
		}
	}
	l.at = now
	return failed
}

// believe gives the next leader of a partition, or the one that is known where
// that is newer, unless this was told too often. The mutex is held.
func (l *leaders) believe(p sinkd.Partition, next leader) leader {
	old, ok := l.at[p]
	if !ok || old.topicID != next.topicID || old.epoch <= next.epoch || old.older >= olderLimit {
		return next
	}
	old.older++
	return old
}

// judge looks for the leaders of the queues that are read: it gives those whose
// partitions have not been there for long, and the first of what is amiss. The
// mutex is held.
func (l *leaders) judge(read []*queue, failed map[string]error) (gone []*queue, first error) {
	absent := make(map[sinkd.Partition]int)
	for _, q := range read {
		p := q.claim.Partition
		at, ok := l.at[p]
		var err error
		switch {
		case failed[p.Topic] != nil:
			err = fmt.Errorf("topic %s: %w", p.Topic, failed[p.Topic])
			absent[p] = l.absent[p]
		case !ok || differ(at.topicID, q.topicID):
			err = fmt.Errorf("%s does not exist", p)
			if absent[p] = l.absent[p] + 1; absent[p] > unknownLimit {
				gone = append(gone, q)
			}
		case at.broker < 0:
			err = fmt.Errorf("%s has no leader", p)
		}
		first = cmp.Or(first, err)
	}
	l.absent = absent
	return gone, first
}
