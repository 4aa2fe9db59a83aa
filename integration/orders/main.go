// Orders produces sample orders until it is stopped: the source of the stack in
// docker-compose.yml. It makes the topic where that is missing, and waits for
// the broker.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// options say where the orders go, and how many.
type options struct {
	brokers    string
	topic      string
	partitions int
	rate       int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "orders:", err)
		os.Exit(1)
	}
}

// run produces until the context ends.
func run(ctx context.Context, args []string, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(o.brokers, ",")...), kgo.DefaultProduceTopic(o.topic))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := create(ctx, kadm.NewClient(client), o); err != nil {
		return ended(ctx, err)
	}
	return ended(ctx, produce(ctx, client, o))
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("orders", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.brokers, "brokers", "localhost:9092", "where Kafka is: host:port,...")
	flags.StringVar(&o.topic, "topic", "orders", "the topic, made where it is missing")
	flags.IntVar(&o.partitions, "partitions", 4, "partitions of a topic that is made")
	flags.IntVar(&o.rate, "rate", 20, "orders a second, 1 to 1000")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.rate < 1 || o.rate > 1000 {
		return o, fmt.Errorf("-rate %d: write 1 to 1000", o.rate)
	}
	return o, nil
}

// create makes the topic. A broker that cannot be reached is waited for.
func create(ctx context.Context, admin *kadm.Client, o options) error {
	for {
		_, err := admin.CreateTopic(ctx, int32(o.partitions), 1, nil, o.topic)
		if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
			return nil
		}
		if refused := new(kerr.Error); errors.As(err, &refused) && !refused.Retriable {
			return fmt.Errorf("create topic %s: %w", o.topic, err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// produce sends orders at the rate.
func produce(ctx context.Context, client *kgo.Client, o options) error {
	source := newShop()
	tick := time.NewTicker(time.Second / time.Duration(o.rate))
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if err := client.ProduceSync(ctx, source.order(now).record()).FirstErr(); err != nil {
				return fmt.Errorf("produce to %s: %w", o.topic, err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// ended drops the error of an end that was asked for.
func ended(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}
