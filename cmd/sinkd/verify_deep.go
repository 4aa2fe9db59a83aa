package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
	"github.com/sinkd/sinkd/transform"
)

// deepProof compares what Kafka has with the tables.
type deepProof struct {
	cfg   *config.Config
	store *store.Store
	// topic is the one that is asked for, empty for all.
	topic    string
	pinned   map[string]sinkd.Topic
	progress *progress
}

// deep compares the pipeline's topics with their tables, table by table.
func (v *verifyCommand) deep(p *program, c *config.Config, s *store.Store, l *store.Ledger) ([]*store.Compared, error) {
	if err := answering(p.ctx, c); err != nil {
		return nil, err
	}
	d := &deepProof{cfg: c, store: s, topic: v.Topic, progress: newProgress(l)}
	defer p.busy(d.progress.text)()
	var err error
	if d.pinned, err = s.Topics(p.ctx); err != nil {
		return nil, database(err)
	}
	all := []*store.Compared{}
	for _, group := range d.groups() {
		if v.Topic != "" && !slices.Contains(group.topics, v.Topic) {
			continue
		}
		found, err := d.table(p.ctx, group)
		if err != nil {
			return nil, err
		}
		all = append(all, found)
	}
	return all, nil
}

// tableTopics are the topics of one table.
type tableTopics struct {
	route  *sinkd.Route
	name   string
	topics []string
}

// groups gives the pipeline's topics by the tables that they go to.
func (d *deepProof) groups() []*tableTopics {
	var groups []*tableTopics
	for _, topic := range slices.Sorted(maps.Keys(d.pinned)) {
		g := &tableTopics{name: "-", route: sinkd.RouteOf(d.cfg.Routes, topic), topics: []string{topic}}
		if g.route != nil {
			schema, name := g.route.Table(topic)
			g.name = schema + "." + name
		}
		if at := slices.IndexFunc(groups, func(o *tableTopics) bool { return o.name == g.name && g.route != nil }); at >= 0 {
			groups[at].topics = append(groups[at].topics, topic)
		} else {
			groups = append(groups, g)
		}
	}
	return groups
}

// table compares the topics of one table, all in one snapshot.
func (d *deepProof) table(ctx context.Context, g *tableTopics) (*store.Compared, error) {
	if g.route == nil {
		return unproved(g, "no route of the configuration takes the topic any more"), nil
	}
	route := *g.route
	route.Create = false
	if route.Unknown == sinkd.AddColumns {
		route.Unknown = sinkd.IgnoreFields
	}
	t, err := d.store.Table(ctx, &route, g.topics[0])
	if err != nil {
		if err = database(err); errors.As(err, new(unreachableError)) {
			return nil, err
		}
		return unproved(g, oneLine(err.Error())), nil
	}
	// Where rows do not tell their topic, those of the others would be taken for
	// rows of this one.
	if d.topic != "" && store.TellsTopics(t, &route) {
		g.topics = []string{d.topic}
	}
	moment, err := d.store.Verify(ctx)
	if err != nil {
		return nil, database(err)
	}
	defer moment.Close()
	w := &comparing{deepProof: d, route: &route, table: t, moment: moment}
	defer w.close()
	for _, topic := range g.topics {
		if err := w.open(ctx, topic); err != nil {
			return nil, err
		}
	}
	return w.compare(ctx, g)
}

// unproved is the result of a table that cannot be compared at all.
func unproved(g *tableTopics, reason string) *store.Compared {
	return &store.Compared{
		Table: g.name, Topics: g.topics, Differences: []store.Difference{}, Unproved: []store.Unproved{{Reason: reason}},
	}
}

// comparing is the comparison of one table under way.
type comparing struct {
	*deepProof
	route  *sinkd.Route
	table  *sinkd.Table
	moment *store.Verification
	logs   []*topicLog
	// why are the reasons for which the proof is not whole.
	why []store.Unproved
	// partial tells that a record of before may be gone from Kafka.
	partial bool
}

// topicLog is a topic that is read again, and which ranges of it.
type topicLog struct {
	again *stream.Again
	spans []stream.Span
}

func (w *comparing) close() {
	for _, l := range w.logs {
		l.again.Close()
	}
}

// not notes why the proof is not whole.
func (w *comparing) not(records int64, format string, args ...any) {
	w.why = append(w.why, store.Unproved{Reason: fmt.Sprintf(format, args...), Records: records})
	w.partial = true
}

// open finds what of a topic is to be read again.
func (w *comparing) open(ctx context.Context, topic string) error {
	again, err := stream.ReadAgain(ctx, kafka(w.cfg), topic)
	if errors.Is(err, stream.ErrNoTopic) {
		w.not(0, "topic %s does not exist in Kafka any more", topic)
		return nil
	}
	if err != nil {
		return unreachableKafka(w.cfg, err)
	}
	l := &topicLog{again: again}
	w.logs = append(w.logs, l)
	pinned, now := w.pinned[topic], again.Described()
	if pinned.ID != now.ID || pinned.Cluster != now.Cluster {
		w.not(0, "topic %s in Kafka is not the one that was read: it was made anew, or the cluster is another", topic)
		return nil
	}
	if again.Compacted {
		w.not(0, "topic %s is compacted: Kafka removes records from the middle of it", topic)
	}
	ledger, err := w.moment.Ledger(ctx, topic)
	if err != nil {
		return database(err)
	}
	if w.topic != "" && topic != w.topic {
		w.progress.expect(ledger)
	}
	for i := range ledger.Partitions {
		if err := w.span(ctx, l, &ledger.Partitions[i]); err != nil {
			return err
		}
	}
	return nil
}

// span adds what of a partition is to be read again: from where its generation
// begins, as far as Kafka has it, to the position.
func (w *comparing) span(ctx context.Context, l *topicLog, p *store.PartitionLedger) error {
	name := sinkd.Partition{Topic: p.Topic, ID: p.Partition}
	start, ok := l.again.LogStart(p.Partition)
	if !ok {
		w.not(p.Records, "%s cannot be read: it has no leader", name)
		return nil
	}
	from := max(p.Start, start, 0)
	gone, earlier, err := w.moment.Below(ctx, p, from)
	switch {
	case err != nil:
		return database(err)
	case gone > 0:
		w.not(gone, "%s: not comparable any more: Kafka has it from offset %d on, of %d", name, start, p.Start)
	}
	if earlier > 0 {
		w.not(earlier, "%s: not comparable: an operator set the position to %d, and what was read before lies in front of that", name, p.Start)
	}
	if from < p.Position {
		l.spans = append(l.spans, stream.Span{Partition: p.Partition, From: from, Until: p.Position})
	}
	return nil
}

// compare reads the topics again and compares them.
func (w *comparing) compare(ctx context.Context, g *tableTopics) (*store.Compared, error) {
	c, err := w.moment.Compare(ctx, store.Of{Table: w.table, Route: w.route, Topics: g.topics, Kept: !w.partial})
	if err != nil {
		return w.failed(g, err)
	}
	for _, l := range w.logs {
		if c.By == store.ByCount {
			break
		}
		e := transform.NewEncoder(transform.Options{Routes: []*sinkd.Route{w.route}, MaxRecordBytes: int(w.cfg.MaxRecordBytes)})
		if err := e.Supply(l.again.Described().Name, w.table); err != nil {
			return w.failed(g, err)
		}
		if err := l.again.Compare(ctx, l.spans, &stream.Against{Encoder: e, Comparer: c, Progress: w.progress.add}); err != nil {
			return w.failed(g, err)
		}
		if l.again.Gone > 0 {
			w.not(l.again.Gone, "topic %s: Kafka removed offsets while they were read", l.again.Described().Name)
		}
	}
	found, err := c.Finish(ctx)
	if err != nil {
		return w.failed(g, err)
	}
	found.Unproved = append(found.Unproved, w.why...)
	return found, nil
}

// failed tells what cannot be reached from what Postgres refuses to compare.
func (w *comparing) failed(g *tableTopics, err error) (*store.Compared, error) {
	e, ok := errors.AsType[*sinkd.Error](err)
	switch {
	case !ok:
		return nil, unreachableKafka(w.cfg, err)
	case e.Class == sinkd.Transient:
		return nil, database(err)
	}
	return unproved(g, oneLine(err.Error())), nil
}
