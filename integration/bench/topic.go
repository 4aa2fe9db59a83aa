package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

func topicName(d *dataset, partitions int) string {
	return fmt.Sprintf("bench-%s-%d", d.topic, partitions)
}

// topic gives the topic of so many partitions that holds the first n records
// of a dataset, and fills it where that was not done yet.
func (b *bench) topic(ctx context.Context, d *dataset, partitions, n int) (string, error) {
	name := topicName(d, partitions)
	if b.topics[name] {
		return name, nil
	}
	b.say("filling %s with %d records", name, n)
	if err := b.createTopic(ctx, name, partitions); err != nil {
		return "", err
	}
	// What Kafka's own producer does by default.
	err := b.produce(ctx, d.records(b.opts.seed, name, partitions, n),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(16<<10))
	if err != nil {
		return "", err
	}
	b.topics[name] = true
	return name, nil
}

// createTopic makes a topic that keeps everything and takes large batches.
func (b *bench) createTopic(ctx context.Context, name string, partitions int) error {
	forever, large := "-1", "20971520"
	configs := map[string]*string{"retention.ms": &forever, "retention.bytes": &forever, "max.message.bytes": &large}
	if _, err := b.admin.CreateTopic(ctx, int32(partitions), 1, configs, name); err != nil {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	return nil
}

// deleteTopic gives the room of a topic back that no other scenario reads.
func (b *bench) deleteTopic(ctx context.Context, name string) error {
	_, err := b.admin.DeleteTopic(ctx, name)
	return err
}

// produce writes the records to the partitions that they name.
func (b *bench) produce(ctx context.Context, records iter.Seq[*record], opts ...kgo.Opt) error {
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.kafka.Addr()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedBytes(64<<20))...)
	if err != nil {
		return err
	}
	defer client.Close()
	var once sync.Once
	var failed error
	for rec := range records {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// The client keeps what it is given until it is acknowledged.
		client.Produce(ctx, &kgo.Record{
			Topic: rec.topic, Partition: rec.partition, Timestamp: rec.time,
			Key: slices.Clone(rec.key), Value: slices.Clone(rec.value),
		}, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	return failed
}
