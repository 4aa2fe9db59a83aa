package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sinkd/sinkd"
)

// Target is a place in the log that somebody names: an offset, what a group has
// committed, or else where a start policy would begin.
type Target struct {
	Start
	// Offset is used where it is not negative, Group where it is not empty.
	Offset int64
	Group  string
}

// Targeted is a topic with the offsets that a target stands for.
type Targeted struct {
	sinkd.Topic
	// Offsets are those of the partitions, in order.
	Offsets []int64
	// Uncommitted are partitions of which the group has committed nothing: they
	// begin at the start of the log.
	Uncommitted []int32
}

// OutsideError tells that an offset is not in a partition's log.
type OutsideError struct {
	sinkd.Partition
	Offset, Start, End int64
}

// Error names what the log has.
func (e *OutsideError) Error() string {
	return fmt.Sprintf("%s: the log has offsets from %d to %d, and %d is not among them", e.Partition, e.Start, e.End, e.Offset)
}

// ErrNoCommits tells that a group has committed no offset of a topic.
var ErrNoCommits = errors.New("it has committed no offsets")

// Find tells what the target is in each partition of the topics. part limits
// what has to lie in the log to one partition; negative = all. It joins no group.
func Find(ctx context.Context, k Kafka, topics []string, part int32, at Target) ([]Targeted, error) {
	b, err := newBrokers(&k)
	if err != nil {
		return nil, err
	}
	defer b.close()
	described, err := b.topics(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var commits map[sinkd.Partition]committed
	if at.Group != "" {
		if commits, err = b.committed(ctx, at.Group); err != nil {
			return nil, err
		}
	}
	var out []Targeted
	for _, name := range slices.Sorted(slices.Values(topics)) {
		t, ok := described[name]
		if !ok {
			return nil, fmt.Errorf("topic %s: %w", name, ErrNoTopic)
		}
		f := finder{brokers: b, Target: at, commits: commits, part: part}
		found, err := f.find(ctx, t)
		if err != nil {
			return nil, err
		}
		out = append(out, *found)
	}
	return out, nil
}

// finder finds a target in one topic after the other.
type finder struct {
	Target
	brokers *brokers
	commits map[sinkd.Partition]committed
	part    int32
}

func (f *finder) find(ctx context.Context, t sinkd.Topic) (*Targeted, error) {
	out := &Targeted{Topic: t}
	if f.Group == "" && f.Offset < 0 {
		var err error
		out.Offsets, err = f.brokers.starts(ctx, t, f.Start)
		return out, err
	}
	log, err := f.brokers.bounds(ctx, t.Name)
	if err != nil {
		return nil, err
	}
	for id := range t.Partitions {
		p := sinkd.Partition{Topic: t.Name, ID: id}
		e, ok := log[p]
		if !ok {
			return nil, fmt.Errorf("list the offsets of %s: %w", p, errNoLeader)
		}
		next := f.Offset
		if f.Group != "" {
			c, known := f.commits[p]
			if next = c.next; !known {
				next = e.start
				out.Uncommitted = append(out.Uncommitted, id)
			}
		}
		if (f.part < 0 || f.part == id) && (next < e.start || next > e.high) {
			return nil, &OutsideError{Partition: p, Offset: next, Start: e.start, End: e.high}
		}
		out.Offsets = append(out.Offsets, next)
	}
	if f.Group != "" && len(out.Uncommitted) == int(t.Partitions) {
		return nil, fmt.Errorf("group %s, topic %s: %w", f.Group, t.Name, ErrNoCommits)
	}
	return out, nil
}
