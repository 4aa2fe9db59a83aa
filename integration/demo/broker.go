package main

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic      = "earthquakes"
	partitions = 4
)

// broker is a Kafka broker in this process, with the topic and its producer.
type broker struct {
	cluster *kfake.Cluster
	client  *kgo.Client
	addr    string

	mu   sync.Mutex
	sent []sent
	err  error // the first record that was not taken
}

// sent is a record that the broker has acknowledged, with its coordinates.
type sent struct {
	record
	partition int32
	offset    int64
}

func startBroker() (*broker, error) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		return nil, err
	}
	addr := cluster.ListenAddrs()[0]
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0))
	if err != nil {
		cluster.Close()
		return nil, err
	}
	return &broker{cluster: cluster, client: client, addr: addr}, nil
}

func (b *broker) close() {
	b.client.Close()
	b.cluster.Close()
}

// produce sends the records evenly over the time given, and returns when the
// broker has acknowledged them all.
func (b *broker) produce(ctx context.Context, records []record, over time.Duration) error {
	begin := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for done := 0; done < len(records); {
		part := min(1, float64(time.Since(begin))/float64(over))
		due := int(math.Ceil(part * float64(len(records))))
		for ; done < due; done++ {
			b.send(ctx, records[done])
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	if err := b.client.Flush(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

func (b *broker) send(ctx context.Context, r record) {
	b.client.Produce(ctx, &kgo.Record{Key: r.key, Value: r.value}, func(k *kgo.Record, err error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if err != nil {
			if b.err == nil {
				b.err = fmt.Errorf("produce: %w", err)
			}
			return
		}
		b.sent = append(b.sent, sent{record: r, partition: k.Partition, offset: k.Offset})
	})
}

// acknowledged tells how many records the topic holds so far.
func (b *broker) acknowledged() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sent)
}

// log gives what was sent, after asking the broker itself whether that is all
// that the topic holds: a proof that compares with a wrong list is none.
func (b *broker) log(ctx context.Context) ([]sent, error) {
	ends, err := kadm.NewClient(b.client).ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	var held int64
	ends.Each(func(o kadm.ListedOffset) { held += o.Offset })
	b.mu.Lock()
	defer b.mu.Unlock()
	if held != int64(len(b.sent)) {
		return nil, fmt.Errorf("the topic holds %d records, %d were acknowledged", held, len(b.sent))
	}
	return b.sent, nil
}
