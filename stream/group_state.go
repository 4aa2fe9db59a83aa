package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sinkd/sinkd"
)

// GroupState is how far a consumer group is, as the brokers know it.
type GroupState struct {
	Cluster, Group string
	// Members counts the group's members.
	Members int
	// Partitions are those of the topics asked for, in order.
	Partitions []GroupPartition
}

// GroupPartition is one partition as a group has it.
type GroupPartition struct {
	sinkd.Partition
	// Next is the offset that the group has committed; nil where there is none.
	Next *int64
	// LogStart and End bound what may be read: log start, last stable offset.
	LogStart, End int64
	// Member is the client id and the host of who has the partition; empty where
	// nobody has.
	Member string
}

// Group asks the brokers how far the consumer group is with the topics by name
// or pattern. Topics that do not exist are left out.
func Group(ctx context.Context, k Kafka, names []string, patterns []*regexp.Regexp) (*GroupState, error) {
	b, err := newBrokers(&k)
	if err != nil {
		return nil, err
	}
	defer b.close()
	f := &Flow{cfg: Config{Topics: names, Patterns: patterns}, brokers: b}
	st := &GroupState{Group: k.Group}
	if st.Cluster, err = b.cluster(ctx); err != nil {
		return nil, err
	}
	topics, err := f.matching(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]string, 0, len(topics))
	for name := range topics {
		found = append(found, name)
	}
	at, err := b.committed(ctx, k.Group)
	if err != nil {
		return nil, err
	}
	log, err := b.bounds(ctx, found...)
	if err != nil {
		return nil, err
	}
	holders, members, err := b.holders(ctx, k.Group)
	if err != nil {
		return nil, err
	}
	st.Members = members
	for p, e := range log {
		gp := GroupPartition{Partition: p, LogStart: e.start, End: e.stable, Member: holders[p]}
		if c, ok := at[p]; ok {
			gp.Next = &c.next
		}
		st.Partitions = append(st.Partitions, gp)
	}
	slices.SortFunc(st.Partitions, func(a, b GroupPartition) int { return a.Compare(b.Partition) })
	return st, nil
}

// holders tells who has which partition in a group, and how many members it has.
func (b *brokers) holders(ctx context.Context, group string) (map[sinkd.Partition]string, int, error) {
	described, err := b.admin.DescribeGroups(ctx, group)
	d := described[group]
	if err = cmp.Or(err, d.Err); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, 0, fmt.Errorf("ask the brokers for the members of group %s: %w", group, err)
	}
	out := make(map[sinkd.Partition]string)
	for i := range d.Members {
		m := &d.Members[i]
		assigned, ok := m.Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, t := range assigned.Topics {
			for _, id := range t.Partitions {
				out[sinkd.Partition{Topic: t.Topic, ID: id}] = m.ClientID + m.ClientHost
			}
		}
	}
	return out, len(d.Members), nil
}
