package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sinkd/sinkd"
)

// committed is an offset that a group has committed.
type committed struct {
	next  int64
	epoch int32
}

// committed gives what the group has committed; nothing where there is no such
// group.
func (b *brokers) committed(ctx context.Context, group string) (map[sinkd.Partition]committed, error) {
	all, err := b.admin.FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask the brokers for the offsets of group %s: %w", group, err)
	}
	out := make(map[sinkd.Partition]committed)
	for topic, parts := range all {
		for id, o := range parts {
			switch {
			case errors.Is(o.Err, kerr.UnknownTopicOrPartition), errors.Is(o.Err, kerr.UnknownTopicID):
			case o.Err != nil:
				return nil, fmt.Errorf("ask the brokers for the offset of %s[%d] in group %s: %w", topic, id, group, o.Err)
			case o.At >= 0:
				out[sinkd.Partition{Topic: topic, ID: id}] = committed{o.At, o.LeaderEpoch}
			}
		}
	}
	return out, nil
}
