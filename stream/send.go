package stream

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd"
)

// Sender writes records to a topic.
type Sender struct {
	client *kgo.Client
	topic  string
}

// NewSender makes a sender to a topic, which has to be there.
func NewSender(ctx context.Context, k Kafka, topic string) (*Sender, error) {
	b, err := newBrokers(&k)
	if err != nil {
		return nil, err
	}
	defer b.close()
	topics, err := b.topics(ctx, topic)
	if err != nil {
		return nil, err
	}
	if _, ok := topics[topic]; !ok {
		return nil, fmt.Errorf("topic %s: %w", topic, ErrNoTopic)
	}
	cl, err := kgo.NewClient(append(k.options(), kgo.ProducerBatchMaxBytes(64<<20), kgo.BrokerMaxWriteBytes(128<<20))...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return &Sender{client: cl, topic: topic}, nil
}

// Send writes keys, values, headers and timestamps as they are, and answers nil
// when all replicas have them.
func (s *Sender) Send(ctx context.Context, records []*sinkd.Record) error {
	sent := make([]*kgo.Record, len(records))
	for i, r := range records {
		sent[i] = &kgo.Record{Topic: s.topic, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}
		for _, h := range r.Headers {
			sent[i].Headers = append(sent[i].Headers, kgo.RecordHeader{Key: string(h.Key), Value: h.Value})
		}
	}
	if err := s.client.ProduceSync(ctx, sent...).FirstErr(); err != nil {
		return fmt.Errorf("send to topic %s: %w", s.topic, err)
	}
	return nil
}

// Close ends the sender.
func (s *Sender) Close() { s.client.Close() }
