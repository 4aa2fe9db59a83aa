package stream

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
)

// A fetch of our own mostly finds something at once; where it does not, the next
// ones bring more. Brokers give a whole batch at the least.
const (
	probeBytes     = 64 << 10
	nextProbeBytes = 1 << 20
)

// finding is what a fetch of our own says of the log from a position on.
type finding struct {
	// next is the offset up to which there is no data record: that of the first
	// data record, or where the fetch ended.
	next int64
	// data tells that a data record lies at next.
	data bool
}

// probe fetches at a position, past the group's client, and tells where the
// next data record lies. It looks no further than until, and at what one fetch
// brings at a time.
func (f *Flow) probe(ctx context.Context, q *queue, from, until int64) (finding, error) {
	at := finding{next: from}
	for bytes := int32(probeBytes); at.next < until; bytes = nextProbeBytes {
		fp, next, err := f.fetch(ctx, q, at.next, bytes)
		if err != nil {
			return at, err
		}
		for _, r := range fp.Records {
			if !r.Attrs.IsControl() {
				return finding{next: r.Offset, data: true}, nil
			}
		}
		if next <= at.next {
			return at, nil
		}
		at.next = next
	}
	return at, nil
}

// fetch asks the partition's leader once, and answers the records and the next
// offset.
func (f *Flow) fetch(ctx context.Context, q *queue, at int64, bytes int32) (kgo.FetchPartition, int64, error) {
	p := q.claim.Partition
	leader, _, err := f.client.PartitionLeader(p.Topic, p.ID)
	if err != nil || leader < 0 {
		return kgo.FetchPartition{}, at, fmt.Errorf("%s has no leader: %w", p, orUnknown(err))
	}
	r := &reading{kafka: &f.cfg.Kafka, Partition: p, topicID: f.topicID(p)}
	return r.fetch(ctx, f.client.Broker(int(leader)), at, bytes)
}

// reading is how one partition is read outside of any group and session.
type reading struct {
	kafka *Kafka
	sinkd.Partition
	topicID [16]byte
}

// fetch asks a broker once, and answers the records and the next offset.
func (p *reading) fetch(ctx context.Context, broker *kgo.Broker, at int64, bytes int32) (kgo.FetchPartition, int64, error) {
	resp, err := p.request(at, bytes).RequestWith(ctx, broker)
	if err != nil {
		return kgo.FetchPartition{}, at, fmt.Errorf("fetch %s at %d: %w", p.Partition, at, err)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return kgo.FetchPartition{}, at, fmt.Errorf("fetch %s at %d: %w", p.Partition, at, err)
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return kgo.FetchPartition{}, at, fmt.Errorf("fetch %s at %d: the broker left it out", p.Partition, at)
	}
	fp, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		KeepControlRecords: true,
		Offset:             at,
		IsolationLevel:     p.kafka.isolation(),
		Topic:              p.Topic,
		Partition:          p.ID,
	}, &resp.Topics[0].Partitions[0], kgo.DefaultDecompressor(), nil)
	if fp.Err != nil {
		return fp, at, fmt.Errorf("fetch %s at %d: %w", p.Partition, at, fp.Err)
	}
	return fp, next, nil
}

// request asks for the partition, at once.
func (p *reading) request(at int64, bytes int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes = bytes
	req.SessionEpoch = -1
	if !p.kafka.ReadUncommitted {
		req.IsolationLevel = 1
	}
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = p.ID, at, bytes
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = p.Topic, p.topicID
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

// topicID gives the id that the partition's claim was checked against.
func (f *Flow) topicID(p sinkd.Partition) [16]byte {
	f.assigned.mu.Lock()
	defer f.assigned.mu.Unlock()
	if pt := f.assigned.parts[p]; pt != nil {
		return pt.topicID
	}
	return [16]byte{}
}

func orUnknown(err error) error {
	if err == nil {
		return kerr.UnknownTopicOrPartition
	}
	return err
}
