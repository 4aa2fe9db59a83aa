package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// sending is a record under way.
type sending struct {
	id int64
	at time.Time
}

// sender produces records one by one, each as soon as it is there.
type sender struct {
	client *kgo.Client
	// sent tells of each record when it is handed to the client; it is closed
	// after the last.
	sent    chan sending
	running sync.WaitGroup

	mu    sync.Mutex
	acked []time.Duration
}

func newSender(addr, topic string, records int) (*sender, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic(topic),
		kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, err
	}
	return &sender{client: client, sent: make(chan sending, records), acked: make([]time.Duration, records)}, nil
}

// start sends all records in the background; gap is the time to let pass after
// each.
func (s *sender) start(ctx context.Context, gap func(id int) time.Duration) {
	s.running.Go(func() {
		defer close(s.sent)
		for id := range s.acked {
			s.send(ctx, id)
			if !sleep(ctx, gap(id)) {
				return
			}
		}
	})
}

func (s *sender) send(ctx context.Context, id int) {
	at := time.Now()
	s.sent <- sending{id: int64(id), at: at}
	s.client.Produce(ctx, &kgo.Record{
		Partition: int32(id % 4), Value: fmt.Appendf(nil, `{"id":%d,"body":"a row to be seen"}`, id),
	}, func(*kgo.Record, error) { // A record that failed is missed by the watcher.
		s.mu.Lock()
		defer s.mu.Unlock()
		s.acked[id] = time.Since(at)
	})
}

// close waits for the end of what start began, and gives the times until Kafka
// had acknowledged the records.
func (s *sender) close() []time.Duration {
	s.running.Wait()
	s.client.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked
}
