package stream

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
)

// doubtful tells that the log of the partition may have been cut off below the
// queue's tail: who leads it was elected since it was looked at, or the cluster
// went back to a former state.
func (r *read) doubtful() bool { return r.leaderEpoch != r.checked && r.epoch >= 0 }

// check asks a new leader where its log ends for the epoch of what was read last
// (KIP-320): below that, records are gone that have landed, and their offsets will
// be those of others. It gives the queues that may be read.
func (f *fetcher) check(ctx context.Context, broker int32, reads []*read) []*read {
	doubtful := slices.DeleteFunc(slices.Clone(reads), func(r *read) bool { return !r.doubtful() })
	if len(doubtful) == 0 {
		return reads
	}
	ends, err := f.ends(ctx, f.flow.client.Broker(int(broker)), doubtful)
	if err != nil {
		f.unanswered(ctx, broker, reads, err)
		return nil
	}
	return slices.DeleteFunc(slices.Clone(reads), func(r *read) bool {
		if !r.doubtful() {
			return false
		}
		end, ok := ends[r.Partition]
		err := kerr.ErrorForCode(end.ErrorCode)
		switch {
		case !ok:
			f.again(r)
		case err != nil:
			f.failed(ctx, r, err)
		case end.EndOffset >= 0 && end.EndOffset < r.at:
			f.flow.stop(ctx, r.queue, sinkd.DataLost, fmt.Sprintf(
				"the log was cut off: under epoch %d it ends at %d, below the offset %d that was read up to", r.epoch, end.EndOffset, r.at))
		default:
			r.checked = r.leaderEpoch
			return false
		}
		return true
	})
}

// ends asks a broker where the logs of partitions end for an epoch. Of a
// broker that does not know of epochs it gives -1, as of an epoch that is unknown:
// nothing can be told then.
func (f *fetcher) ends(ctx context.Context, broker *kgo.Broker, reads []*read) (map[sinkd.Partition]kmsg.OffsetForLeaderEpochResponseTopicPartition, error) {
	out := make(map[sinkd.Partition]kmsg.OffsetForLeaderEpochResponseTopicPartition, len(reads))
	resp, err := epochRequest(reads).RequestWith(ctx, broker)
	if err != nil {
		if ctx.Err() != nil || !f.epochless(ctx, broker) {
			return nil, err
		}
		for _, r := range reads {
			out[r.Partition] = kmsg.OffsetForLeaderEpochResponseTopicPartition{EndOffset: -1}
		}
		return out, nil
	}
	for i := range resp.Topics {
		for _, p := range resp.Topics[i].Partitions {
			out[sinkd.Partition{Topic: resp.Topics[i].Topic, ID: p.Partition}] = p
		}
	}
	return out, nil
}

// epochless tells that a broker answers, and does not know of leader epochs.
func (f *fetcher) epochless(ctx context.Context, broker *kgo.Broker) bool {
	resp, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, broker)
	if err != nil || slices.ContainsFunc(resp.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool {
		return k.ApiKey == int16(kmsg.OffsetForLeaderEpoch)
	}) {
		return false
	}
	f.flow.log.Warn("the brokers do not know of leader epochs: that a log is cut off cannot be noticed")
	return true
}

// epochRequest asks for the end of each partition's log under the epoch of what
// was read last.
func epochRequest(reads []*read) *kmsg.OffsetForLeaderEpochRequest {
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	req.ReplicaID = -1
	index := make(map[string]int)
	for _, r := range reads {
		n, ok := index[r.Topic]
		if !ok {
			n = len(req.Topics)
			index[r.Topic] = n
			rt := kmsg.NewOffsetForLeaderEpochRequestTopic()
			rt.Topic = r.Topic
			req.Topics = append(req.Topics, rt)
		}
		rp := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		rp.Partition, rp.CurrentLeaderEpoch, rp.LeaderEpoch = r.ID, r.leaderEpoch, r.epoch
		req.Topics[n].Partitions = append(req.Topics[n].Partitions, rp)
	}
	return req
}
