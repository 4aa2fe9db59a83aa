package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd"
)

// bounds is what the brokers say of a partition's log.
type bounds struct {
	// start is the log start, stable the last stable offset, high the high
	// watermark.
	start, stable, high int64
	// lists counts the answers that had the partition.
	lists int
}

// brokers asks Kafka what no consumer has to be a group's member for. It has a
// client of its own, so that nothing here disturbs the group's.
type brokers struct {
	client *kgo.Client
	admin  *kadm.Client
}

func newBrokers(k *Kafka) (*brokers, error) {
	cl, err := kgo.NewClient(append(k.options(), kgo.FetchIsolationLevel(k.isolation()))...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return &brokers{client: cl, admin: kadm.NewClient(cl)}, nil
}

func (b *brokers) close() { b.client.Close() }

// cluster gives the id of the Kafka cluster.
func (b *brokers) cluster(ctx context.Context) (string, error) {
	m, err := b.admin.BrokerMetadata(ctx)
	if err != nil {
		return "", fmt.Errorf("ask the brokers for their cluster: %w", err)
	}
	return m.Cluster, nil
}

// topics describes the topics by name, or all where none is named. A topic that
// does not exist is left out.
func (b *brokers) topics(ctx context.Context, names ...string) (map[string]sinkd.Topic, error) {
	m, err := b.admin.Metadata(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("ask the brokers for topics: %w", err)
	}
	out := make(map[string]sinkd.Topic, len(m.Topics))
	for name, d := range m.Topics {
		if d.Err != nil {
			if errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
				continue
			}
			return nil, fmt.Errorf("topic %s: %w", name, d.Err)
		}
		out[name] = sinkd.Topic{
			Name: name, ID: uuid.UUID(d.ID), Cluster: m.Cluster, Partitions: int32(len(d.Partitions)),
		}
	}
	return out, nil
}

// readable describes those of the topics that may be described, and fails besides
// where one may not: the client gives no answer of any then.
func (b *brokers) readable(ctx context.Context, names []string) (map[string]sinkd.Topic, error) {
	out, err := b.topics(ctx, names...)
	if refused := (*kerr.Error)(nil); len(names) == 1 || !errors.As(err, &refused) {
		return out, err
	}
	out, err = make(map[string]sinkd.Topic), nil
	for _, name := range names {
		one, refused := b.topics(ctx, name)
		maps.Copy(out, one)
		err = cmp.Or(err, refused)
	}
	return out, err
}

// bounds lists log start, last stable offset and high watermark of the topics'
// partitions. One whose leader does not answer is left out, so that the others
// go on; it fails where none answers.
func (b *brokers) bounds(ctx context.Context, topics ...string) (map[sinkd.Partition]bounds, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	out := make(map[sinkd.Partition]bounds)
	lists := []struct {
		ask func(context.Context, ...string) (kadm.ListedOffsets, error)
		set func(*bounds, int64)
	}{
		{b.admin.ListStartOffsets, func(b *bounds, o int64) { b.start = o }},
		{b.admin.ListCommittedOffsets, func(b *bounds, o int64) { b.stable = o }},
		{b.admin.ListEndOffsets, func(b *bounds, o int64) { b.high = o }},
	}
	type answer struct {
		offsets kadm.ListedOffsets
		err     error
	}
	answers := make([]chan answer, len(lists))
	for i, l := range lists {
		answers[i] = make(chan answer, 1)
		go func() {
			o, err := l.ask(ctx, topics...)
			answers[i] <- answer{o, err}
		}()
	}
	var failed error
	for i, l := range lists {
		a := <-answers[i]
		failed = cmp.Or(failed, a.err, a.offsets.Error())
		a.offsets.Each(func(o kadm.ListedOffset) {
			if o.Err != nil {
				return
			}
			p := sinkd.Partition{Topic: o.Topic, ID: o.Partition}
			e := out[p]
			e.lists++
			l.set(&e, o.Offset)
			out[p] = e
		})
	}
	maps.DeleteFunc(out, func(_ sinkd.Partition, e bounds) bool { return e.lists < len(lists) })
	if len(out) == 0 && failed != nil {
		return nil, fmt.Errorf("list offsets: %w", failed)
	}
	return out, nil
}

// starts gives the first offset of each partition of a topic by the start
// policy: latest is the last stable offset, so that an open transaction will be
// read; so is a time with no later record.
func (b *brokers) starts(ctx context.Context, t sinkd.Topic, s Start) ([]int64, error) {
	bounds, err := b.bounds(ctx, t.Name)
	if err != nil {
		return nil, err
	}
	out := make([]int64, t.Partitions)
	for id := range out {
		e, ok := bounds[sinkd.Partition{Topic: t.Name, ID: int32(id)}]
		if !ok {
			return nil, fmt.Errorf("list offsets: %s[%d] has no leader", t.Name, id)
		}
		out[id] = e.start
		if s.Latest || !s.Time.IsZero() {
			out[id] = e.stable
		}
	}
	if s.Time.IsZero() {
		return out, nil
	}
	return out, b.after(ctx, t.Name, s.Time, out)
}

// after lowers offsets to the first record at or after the time.
func (b *brokers) after(ctx context.Context, topic string, at time.Time, offsets []int64) error {
	listed, err := b.admin.ListOffsetsAfterMilli(ctx, at.UnixMilli(), topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return fmt.Errorf("list offsets by time: %w", err)
	}
	listed.Each(func(o kadm.ListedOffset) {
		if int(o.Partition) < len(offsets) && o.Offset >= 0 {
			offsets[o.Partition] = min(offsets[o.Partition], o.Offset)
		}
	})
	return nil
}
