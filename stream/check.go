package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
)

// pin makes sure that each topic's first positions are pinned, and each
// partition's that was added since. It answers the wishes that can go on.
func (c *claimer) pin(ctx context.Context, due []*wish) []*wish {
	known, err := c.flow.cfg.Store.Topics(ctx)
	if err != nil {
		c.failed(due, "read the pinned topics", err)
		return nil
	}
	byTopic := make(map[string][]*wish)
	for _, w := range due {
		byTopic[w.part.Topic] = append(byTopic[w.part.Topic], w)
	}
	var out []*wish
	for topic, ws := range byTopic {
		if pinned, ok := known[topic]; !ok || !covers(pinned, ws) {
			if err := c.flow.pinBeside(ctx, topic, known); err != nil {
				c.failed(ws, "pin the topic's positions", err)
				continue
			}
		}
		out = append(out, ws...)
	}
	return out
}

// pinBeside pins a topic beside those that are known. Where these are of another
// cluster, it is not pinned: the pipeline's incidents have to be seen to first.
func (f *Flow) pinBeside(ctx context.Context, topic string, known map[string]sinkd.Topic) error {
	cluster, err := f.brokers.cluster(ctx)
	if err != nil {
		return err
	}
	for _, t := range known {
		if t.Cluster != cluster {
			return fmt.Errorf("topic %s is on cluster %s, the pipeline's positions are of cluster %s", topic, cluster, t.Cluster)
		}
	}
	_, ok := known[topic]
	return f.pin(ctx, topic, ok)
}

// covers tells whether the wishes' partitions were there when the topic was
// pinned.
func covers(t sinkd.Topic, ws []*wish) bool {
	for _, w := range ws {
		if w.part.ID >= t.Partitions {
			return false
		}
	}
	return true
}

// pin writes down where the topic's partitions begin: by the start policy at
// the first claim of a topic that was there when the pipeline started; at the
// log start for what appeared later, so that nothing in it is passed over.
func (f *Flow) pin(ctx context.Context, topic string, known bool) error {
	topics, err := f.brokers.topics(ctx, topic)
	if err != nil {
		return err
	}
	t, ok := topics[topic]
	if !ok {
		return fmt.Errorf("topic %s does not exist", topic)
	}
	policy := f.cfg.Start
	if known || f.late(topic) {
		policy = Start{}
	}
	starts, err := f.brokers.starts(ctx, t, policy)
	if err != nil {
		return err
	}
	f.log.Info("pinning the first positions of a topic", slog.String("topic", topic),
		slog.Int("partitions", len(starts)), slog.String("start", policy.String()))
	return f.cfg.Store.Pin(ctx, t, starts)
}

// check compares fresh claims with what the brokers say now, after the claim:
// identity of topic and cluster, and that the position lies in the log.
func (c *claimer) check(ctx context.Context, got map[*wish]*sinkd.Claim) {
	byTopic := make(map[string]map[*wish]*sinkd.Claim)
	for w, cl := range got {
		if byTopic[w.part.Topic] == nil {
			byTopic[w.part.Topic] = make(map[*wish]*sinkd.Claim)
		}
		byTopic[w.part.Topic][w] = cl
	}
	for topic, ws := range byTopic {
		c.checkTopic(ctx, topic, ws)
	}
}

// checkTopic checks the claims of one topic.
func (c *claimer) checkTopic(ctx context.Context, topic string, ws map[*wish]*sinkd.Claim) {
	now, log, err := c.look(ctx, topic)
	if err != nil {
		all := make([]*wish, 0, len(ws))
		for w := range ws {
			all = append(all, w)
		}
		c.failed(all, "list the topic's offsets", err)
		return
	}
	c.flow.health.up(kafka)
	for w, cl := range ws {
		b, ok := log[cl.Partition]
		switch {
		case ok || now.recreated():
			c.judge(ctx, w, cl, sight{now, b})
		case cl.ID >= now.now.Partitions:
			c.failed([]*wish{w}, "list the offsets of "+cl.String(), errNoPartition)
		default:
			c.failed([]*wish{w}, "list the offsets of "+cl.String(), errNoLeader)
		}
	}
}

// identity is what a topic is now, and what was pinned of it.
type identity struct {
	now, pinned sinkd.Topic
}

// sight is what the check of one partition looks at.
type sight struct {
	identity
	bounds
}

var (
	// errNoLeader tells that a partition's leader does not answer.
	errNoLeader = errors.New("its leader does not answer")
	// errNoPartition tells that the topic has fewer partitions than it had.
	errNoPartition = errors.New("it does not exist")
)

// look asks both sides for the topic; the offsets last, after the claim.
func (c *claimer) look(ctx context.Context, topic string) (identity, map[sinkd.Partition]bounds, error) {
	var id identity
	known, err := c.flow.cfg.Store.Topics(ctx)
	if err != nil {
		return id, nil, err
	}
	topics, err := c.flow.brokers.topics(ctx, topic)
	if err != nil {
		return id, nil, err
	}
	id = identity{now: topics[topic], pinned: known[topic]}
	if id.now.Partitions == 0 {
		return id, nil, fmt.Errorf("topic %s does not exist", topic)
	}
	log, err := c.flow.brokers.bounds(ctx, topic)
	return id, log, err
}

// recreated tells that the topic is not the one that was pinned. Brokers
// without topic ids give the zero id: recreation cannot be noticed then.
func (i identity) recreated() bool {
	return i.now.ID != uuid.Nil && i.pinned.ID != uuid.Nil && i.now.ID != i.pinned.ID
}

// judge decides what becomes of a claim: delivered, halted, or looked at again.
func (c *claimer) judge(ctx context.Context, w *wish, cl *sinkd.Claim, s sight) {
	switch {
	case cl.Halted != "":
		c.stop(w, halted)
	case cl.Paused:
		c.stop(w, paused)
	case s.now.Cluster != s.pinned.Cluster:
		c.halt(ctx, w, cl, sinkd.ClusterChanged,
			fmt.Sprintf("the brokers are cluster %s, the positions are of cluster %s", s.now.Cluster, s.pinned.Cluster))
	case s.recreated():
		c.halt(ctx, w, cl, sinkd.TopicRecreated,
			fmt.Sprintf("the topic has id %s, the positions are of id %s", s.now.ID, s.pinned.ID))
	case cl.Next < s.start:
		c.expired(ctx, w, cl, s.start)
	case cl.Next > s.high:
		c.beyond(ctx, w, cl, s)
	default:
		c.deliver(w, &claimed{claim: cl, topicID: s.now.ID, end: s.stable})
	}
}

// expired deals with a position below the log start: the records between are
// gone.
func (c *claimer) expired(ctx context.Context, w *wish, cl *sinkd.Claim, start int64) {
	cause := fmt.Sprintf("Kafka no longer holds the offsets from %d to %d", cl.Next, start-1)
	if !c.flow.cfg.SkipLost {
		c.halt(ctx, w, cl, sinkd.DataLost, cause)
		return
	}
	moved, err := c.flow.cfg.Store.Skip(ctx, sinkd.Skip{Claim: cl, Until: start, Cause: cause})
	if err != nil {
		c.failed([]*wish{w}, "skip a lost range", err)
		return
	}
	c.flow.log.Warn("skipped a lost range", slog.String("partition", cl.String()), slog.String("cause", cause))
	c.check(ctx, map[*wish]*sinkd.Claim{w: &moved})
}

// beyond deals with a position behind the end of the log, which must persist
// before it counts.
func (c *claimer) beyond(ctx context.Context, w *wish, cl *sinkd.Claim, s sight) {
	if w.beyond.IsZero() {
		w.beyond = time.Now()
	}
	if time.Since(w.beyond) < beyondEndPatience {
		c.later(w)
		return
	}
	c.halt(ctx, w, cl, sinkd.DataLost,
		fmt.Sprintf("the position %d lies beyond the end of the log, %d", cl.Next, s.high))
}

// halt stops the partition of a fresh claim.
func (c *claimer) halt(ctx context.Context, w *wish, cl *sinkd.Claim, kind, detail string) {
	i := sinkd.Incident{Partition: cl.Partition, Kind: kind, Detail: detail}
	ok, err := c.flow.cfg.Store.Halt(ctx, cl, cl.Next, i)
	if err != nil {
		c.failed([]*wish{w}, "halt a partition", err)
		return
	}
	if !ok { // Another owner's claim came after ours: it judges for itself.
		c.later(w)
		return
	}
	c.flow.log.Error("partition halted", slog.String("partition", cl.String()),
		slog.String("kind", kind), slog.String("detail", detail))
	c.stop(w, halted)
}

// deliver opens the queue of a good claim.
func (c *claimer) deliver(w *wish, ok *claimed) {
	c.forget(w)
	c.flow.metrics.claim("made")
	c.flow.open(w.part, ok)
}
