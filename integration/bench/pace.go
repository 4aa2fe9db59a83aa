package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// pace measures the time from the start of producing a record, by a client
// that waits for nothing, until another connection to Postgres sees its row.
type pace struct {
	name    string
	gap     func(*rand.Rand) time.Duration
	samples int
	env     []string
}

// quiet is a gap in which everything comes to rest, and in step with nothing.
func quiet(r *rand.Rand) time.Duration {
	return 550*time.Millisecond + time.Duration(r.Int64N(int64(100*time.Millisecond)))
}

func every50ms(*rand.Rand) time.Duration { return 50 * time.Millisecond }

func (p *pace) title() string { return p.name }

func (p *pace) narrowed(run *regexp.Regexp) scenario {
	if !run.MatchString(p.name) {
		return nil
	}
	return p
}

func (p *pace) measure(ctx context.Context, b *bench) ([]result, error) {
	topic := regexp.MustCompile(`\W+`).ReplaceAllString("bench-"+p.name, "-")
	if err := b.createTopic(ctx, topic, 4); err != nil {
		return nil, err
	}
	// The key lets the watcher look without reading the whole table.
	if err := b.fresh(ctx, "id bigint PRIMARY KEY, body text"); err != nil {
		return nil, err
	}
	env, schema, err := b.pipeline(topic, p.env)
	if err != nil {
		return nil, err
	}
	service, err := b.startChild(ctx, env, b.sinkd, "run")
	if err != nil {
		return nil, err
	}
	b.say("%s: %d records", p.name, p.samples)
	delays, err := p.delays(ctx, b, service, topic)
	if err != nil {
		if failed := service.stop(); failed != nil {
			return nil, errors.Join(err, failed)
		}
		return nil, fmt.Errorf("%w; sinkd wrote:\n%s", err, service.tail())
	}
	if err := service.stop(); err != nil {
		return nil, err
	}
	results := []result{{name: p.name, delays: delays, samples: []sample{{records: p.samples, peak: service.peak}}}}
	printDelays(os.Stdout, results[0])
	return results, b.forget(ctx, schema)
}

// delays sends the records, some of them first that do not count, and watches
// for their rows.
func (p *pace) delays(ctx context.Context, b *bench, service *child, topic string) ([]time.Duration, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka.Addr()), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(topic))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	w, err := newWatcher(ctx, b.postgres.URL())
	if err != nil {
		return nil, err
	}
	defer w.close()
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute+time.Duration(p.samples)*time.Second,
		errors.New("not all rows came to be seen in time"))
	defer cancel()
	const warmup = 8
	sent := make(chan sending, warmup+p.samples)
	go func() {
		defer close(sent)
		r := rand.New(rand.NewPCG(b.opts.seed, 0))
		for id := range int64(warmup + p.samples) {
			sent <- sending{id: id, at: time.Now()}
			client.Produce(ctx, &kgo.Record{
				Partition: int32(id % 4), Value: fmt.Appendf(nil, `{"id":%d,"body":"a row to be seen"}`, id),
			}, nil)
			wait := p.gap(r)
			if id == warmup-1 {
				wait = 2 * time.Second
			}
			if !sleep(ctx, wait) {
				return
			}
		}
	}()
	delays, err := w.watch(ctx, sent, service.done)
	if err != nil {
		return nil, err
	}
	return delays[warmup:], nil
}

// sleep tells whether the time went by.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
