package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
)

// spot is where a partition is to be read.
type spot struct {
	sinkd.Partition
	// topicID is the id of the topic that is meant; the brokers refuse another one
	// by the same name.
	topicID [16]byte
	// at is the offset, leaderEpoch that of the leader who is asked, -1 if unknown.
	at          int64
	leaderEpoch int32
	// bytes is how much of it a fetch may bring, compressed.
	bytes int32
}

// extent is how much a fetch may bring in all, compressed, and how long the broker
// may wait for it. Brokers give a whole batch at the least.
type extent struct {
	bytes int32
	wait  time.Duration
}

// fetchRequest asks for partitions, in their order: brokers give of the first what
// they can.
func (k *Kafka) fetchRequest(spots []spot, e extent) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.MaxWaitMillis, req.MinBytes = e.bytes, int32(e.wait.Milliseconds()), 1
	req.SessionEpoch = -1 // no session: each fetch says all that it asks for
	req.Rack = k.Rack
	if !k.ReadUncommitted {
		req.IsolationLevel = 1
	}
	type topic struct {
		name string
		id   [16]byte
	}
	index := make(map[topic]int)
	for i := range spots {
		s := &spots[i]
		n, ok := index[topic{s.Topic, s.topicID}]
		if !ok {
			n = len(req.Topics)
			index[topic{s.Topic, s.topicID}] = n
			rt := kmsg.NewFetchRequestTopic()
			rt.Topic, rt.TopicID = s.Topic, s.topicID
			req.Topics = append(req.Topics, rt)
		}
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = s.ID, s.at, s.bytes, s.leaderEpoch
		req.Topics[n].Partitions = append(req.Topics[n].Partitions, rp)
	}
	return req
}

// byName is a fetch by the names of topics. From version 13 on there are ids only,
// also of brokers that have none to give, as long as their cluster is being
// upgraded.
type byName struct{ *kmsg.FetchRequest }

// MaxVersion is the last one that has names.
func (byName) MaxVersion() int16 { return 12 }

// ask sends a fetch.
func (k *Kafka) ask(ctx context.Context, broker *kgo.Broker, spots []spot, e extent) (*kmsg.FetchResponse, error) {
	fetch := k.fetchRequest(spots, e)
	var req kmsg.Request = fetch
	if slices.ContainsFunc(spots, func(s spot) bool { return s.topicID == [16]byte{} }) {
		req = byName{fetch}
	}
	answer, err := broker.Request(ctx, req)
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.FetchResponse)
	return resp, kerr.ErrorForCode(resp.ErrorCode)
}

// fetch asks a broker, and gives its answer for each of the spots, nil where it
// left one out.
func (k *Kafka) fetch(ctx context.Context, broker *kgo.Broker, spots []spot, e extent) ([]*kmsg.FetchResponseTopicPartition, error) {
	resp, err := k.ask(ctx, broker, spots, e)
	if err != nil {
		return nil, err
	}
	topics := make(map[[16]byte]string)
	index := make(map[sinkd.Partition]int, len(spots))
	for i := range spots {
		topics[spots[i].topicID] = spots[i].Topic
		index[spots[i].Partition] = i
	}
	out := make([]*kmsg.FetchResponseTopicPartition, len(spots))
	for i := range resp.Topics {
		rt := &resp.Topics[i]
		topic := rt.Topic
		if topic == "" { // from version 13 on
			topic = topics[rt.TopicID]
		}
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			if n, ok := index[sinkd.Partition{Topic: topic, ID: rp.Partition}]; ok {
				out[n] = rp
			}
		}
	}
	return out, nil
}

// errLeftOut is an answer without the partition that was asked for.
var errLeftOut = errors.New("the broker left it out")

// reading is how one partition is read outside of any group, at once.
type reading struct {
	kafka *Kafka
	log   *logReader
	spot
}

// fetch asks a broker once for so many bytes from at on.
func (r *reading) fetch(ctx context.Context, broker *kgo.Broker, at int64, bytes int32) (piece, error) {
	r.at, r.leaderEpoch, r.bytes = at, -1, bytes
	answers, err := r.kafka.fetch(ctx, broker, []spot{r.spot}, extent{bytes: bytes})
	var out piece
	switch {
	case err != nil:
	case answers[0] == nil:
		err = errLeftOut
	default:
		out, err = r.log.read(r.Partition, at, answers[0], true)
	}
	if err != nil {
		return piece{next: at}, fmt.Errorf("fetch %s at %d: %w", r.Partition, at, err)
	}
	return out, nil
}
