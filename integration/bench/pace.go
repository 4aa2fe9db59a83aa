package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"time"
)

// pace measures the time from the start of producing a record, by a client
// that waits for nothing, until another connection to Postgres sees its row.
type pace struct {
	name    string
	gap     func(*rand.Rand) time.Duration
	samples int
	env     []string
}

// warmup is the number of records that are sent before those that count.
const warmup = 8

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
	delays, acked, err := p.delays(ctx, b, service, topic)
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
	printDelays(os.Stdout, &results[0], acked)
	return results, b.forget(ctx, schema)
}

// delays sends the records, some of them first that do not count, and watches
// for their rows. The second slice is how long Kafka took to acknowledge each.
func (p *pace) delays(ctx context.Context, b *bench, service *child, topic string) (seen, acked []time.Duration, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute+time.Duration(p.samples)*time.Second,
		errors.New("not all rows came to be seen in time"))
	defer cancel()
	w, err := newWatcher(ctx, b.postgres.URL())
	if err != nil {
		return nil, nil, err
	}
	defer w.close()
	s, err := newSender(b.kafka.Addr(), topic, warmup+p.samples)
	if err != nil {
		return nil, nil, err
	}
	r := rand.New(rand.NewPCG(b.opts.seed, 0))
	s.start(ctx, func(id int) time.Duration {
		if id == warmup-1 {
			return 2 * time.Second
		}
		return p.gap(r)
	})
	seen, err = w.watch(ctx, s.sent, service.done)
	cancel()
	acked = s.close()
	if err != nil {
		return nil, nil, err
	}
	return seen[warmup:], acked[warmup:], nil
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
