package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/sinkd/sinkd"
)

// sampleBytes bounds what a sample holds.
const sampleBytes = 64 << 20

// ErrNoTopic is what errors wrap where a topic does not exist.
var ErrNoTopic = errors.New("it does not exist")

// Sampled are records of a topic that were read beside the group.
type Sampled struct {
	Topic sinkd.Topic
	// Total is the sum of offsets between log start and last stable offset.
	Total   int64
	Records []*sinkd.Record
	// Next are the offsets behind the records, by partition.
	Next []int64
	// Outside are the partitions whose position is none of their log, which were
	// read from its start.
	Outside []int32
	// Err tells why there are fewer records than were asked for.
	Err error
}

// Sample reads the earliest and the latest n records of a topic, spread over
// its partitions, and less where they are large. Where the context ends after
// the topic was described, what was read until then counts. It joins no group.
func Sample(ctx context.Context, k Kafka, topic string, n int) (*Sampled, error) {
	return readBeside(ctx, k, topic, func(r *reader) error {
		shares := r.shares(int64(n))
		for id := range r.Next {
			e := r.boundsOf(id)
			if err := r.read(ctx, id, e.stable, shares[id]); err != nil {
				return err
			}
			r.Next[id] = max(r.Next[id], e.stable-shares[id])
			if err := r.read(ctx, id, e.stable, shares[id]); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReadFrom reads up to n records of a topic from positions on, by partition,
// and not more than bytes of them. A position outside of the log is moved to its
// start. It joins no group.
func ReadFrom(ctx context.Context, k Kafka, topic string, positions []int64, n int, bytes int64) (*Sampled, error) {
	return readBeside(ctx, k, topic, func(r *reader) error {
		r.room = bytes
		for id := range min(len(positions), len(r.Next)) {
			e := r.boundsOf(id)
			if e.lists == 0 {
				continue // without a leader there is nothing to read
			}
			if positions[id] < e.start || positions[id] > e.high {
				r.Outside = append(r.Outside, int32(id))
				continue
			}
			r.Next[id] = positions[id]
		}
		shares := r.shares(int64(n))
		for id := range r.Next {
			if err := r.read(ctx, id, r.boundsOf(id).stable, shares[id]); err != nil {
				return err
			}
		}
		return nil
	})
}

// reader reads partitions one after the other.
type reader struct {
	Sampled
	kafka   *Kafka
	log     *logReader
	brokers *brokers
	leaders []int32
	bounds  map[sinkd.Partition]bounds
	// room is how many bytes may yet be read.
	room int64
}

// besideBytes is how much is asked for at a time.
const besideBytes = 1 << 20

// reading is how a partition of the topic is read.
func (r *reader) reading(p sinkd.Partition) *reading {
	return &reading{kafka: r.kafka, log: r.log, spot: spot{Partition: p, topicID: r.Topic.ID}}
}

// readBeside describes a topic and lets read read it. It fails where the topic
// cannot be described, or nothing of it be read.
func readBeside(ctx context.Context, k Kafka, topic string, read func(*reader) error) (*Sampled, error) {
	b, err := newBrokers(&k)
	if err != nil {
		return nil, err
	}
	defer b.close()
	r := &reader{kafka: &k, log: newLogReader(&k), brokers: b, room: sampleBytes}
	if err := r.describe(ctx, topic); err != nil {
		return nil, err
	}
	if r.Err = read(r); r.Err != nil && len(r.Records) == 0 {
		return nil, r.Err
	}
	return &r.Sampled, nil
}

// describe asks for the topic, its leaders and its bounds.
func (r *reader) describe(ctx context.Context, topic string) error {
	topics, err := r.brokers.topics(ctx, topic)
	if err != nil {
		return err
	}
	t, ok := topics[topic]
	if !ok {
		return fmt.Errorf("topic %s: %w", topic, ErrNoTopic)
	}
	r.Topic, r.Next = t, make([]int64, t.Partitions)
	if err := r.lead(ctx); err != nil {
		return err
	}
	if r.bounds, err = r.brokers.bounds(ctx, topic); err != nil {
		return err
	}
	r.rewind()
	return nil
}

// rewind begins at the log starts. Partitions that were added after the topic was
// described have bounds as well.
func (r *reader) rewind() {
	for p, e := range r.bounds {
		if int(p.ID) < len(r.Next) {
			r.Total += e.stable - e.start
			r.Next[p.ID] = e.start
		}
	}
}

// lead asks who leads the partitions.
func (r *reader) lead(ctx context.Context) error {
	m, err := r.brokers.admin.Metadata(ctx, r.Topic.Name)
	if err != nil {
		return fmt.Errorf("ask the brokers for topic %s: %w", r.Topic.Name, err)
	}
	r.leaders = make([]int32, r.Topic.Partitions)
	for id, p := range m.Topics[r.Topic.Name].Partitions {
		if int(id) < len(r.leaders) {
			r.leaders[id] = p.Leader
		}
	}
	return nil
}

// moves is how often a partition that moved to another broker is followed, after
// growing pauses.
const moves = 3

// boundsOf gives the bounds of a partition's log.
func (r *reader) boundsOf(id int) bounds {
	return r.bounds[sinkd.Partition{Topic: r.Topic.Name, ID: int32(id)}]
}

// shares divides n among the partitions: equal parts of what lies behind their
// positions, and what one does not have goes to the others.
func (r *reader) shares(n int64) []int64 {
	shares := make([]int64, len(r.Next))
	for hungry := len(shares); n > 0 && hungry > 0; {
		share := max(1, n/int64(hungry))
		hungry = 0
		for id := range shares {
			got := min(share, r.boundsOf(id).stable-r.Next[id]-shares[id], n)
			if got <= 0 {
				continue
			}
			hungry++
			shares[id] += got
			n -= got
		}
	}
	return shares
}

// read reads up to n records of a partition, from Next up to until.
func (r *reader) read(ctx context.Context, id int, until, n int64) error {
	p := r.reading(sinkd.Partition{Topic: r.Topic.Name, ID: int32(id)})
	from := r.Next[id]
	var failures backoff
	for r.Next[id] < until && n > 0 && r.room > 0 {
		got, err := p.fetch(ctx, r.brokers.client.Broker(int(r.leaders[id])), r.Next[id], besideBytes)
		if err != nil {
			if failures.n == moves || !sleep(ctx, failures.next()) {
				return err
			}
			if err := r.lead(ctx); err != nil {
				return err
			}
			continue
		}
		if got.next <= r.Next[id] {
			return nil
		}
		r.Next[id] = got.next
		for i := range got.records.Len() {
			if at := got.records.Offset(i); at >= until || n == 0 || r.room <= 0 {
				r.Next[id] = at
				return nil
			}
			r.take(got.records.Slice(i, i+1))
			n--
		}
	}
	r.Next[id] = min(r.Next[id], max(from, until))
	return nil
}

// take keeps a copy of a record: as it came, it would keep all that was fetched.
func (r *reader) take(one sinkd.Records) {
	one = one.Compact()
	r.room -= cost(one, 1)
	r.Records = append(r.Records, one.At(0))
}
