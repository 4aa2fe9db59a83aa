package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/stream"
)

// kafka looks at brokers and topics, and answers the topics that are there.
func (ck *check) kafka(ctx context.Context) []stream.TopicState {
	ctx, cancel := within(ctx)
	defer cancel()
	if err := dialAny(ctx, ck.cfg.KafkaBrokers); err != nil {
		ck.unreached = err
		ck.fail("kafka", err.Error(), "check SINKD_KAFKA_BROKERS, and whether a broker listens there")
		return nil
	}
	names, patterns := subscription(ck.cfg.Routes)
	in, err := stream.Inspect(ctx, kafka(ck.cfg), names, patterns)
	hint := kafkaHint(ck.cfg)
	if in != nil {
		ck.fine("kafka", "cluster "+in.Cluster+", "+counted(len(in.Brokers), "broker"))
		hint = ck.brokers(in)
	}
	if err != nil {
		ck.unreached = err
		ck.fail("kafka", err.Error(), hint)
		return nil
	}
	ck.topics(in)
	return in.Topics
}

// brokers looks at the addresses that the brokers advertise, and says what else
// that fails may come from.
func (ck *check) brokers(in *stream.Inspection) (hint string) {
	hint = kafkaHint(ck.cfg)
	for _, b := range in.Brokers {
		if b.Err != nil {
			hint = "mend the address that the broker advertises: clients go there, whatever SINKD_KAFKA_BROKERS says"
			ck.fail("broker "+b.Addr, "is advertised, and cannot be reached from here: "+b.Err.Error(),
				"mend advertised.listeners of the broker, or let this machine reach that name and port")
		}
	}
	return hint
}

// source is the variable that names the topics.
func (ck *check) source() string {
	if ck.cfg.Set("SINKD_ROUTES") {
		return "SINKD_ROUTES"
	}
	return "SINKD_TOPICS"
}

// topics looks at the topics.
func (ck *check) topics(in *stream.Inspection) {
	for _, name := range in.Missing {
		ck.fail("topic "+name, "does not exist; run waits for it", "create it, or mend "+ck.source())
	}
	if len(in.Topics) == 0 && len(in.Missing) == 0 {
		ck.fail("topics", "none matches the pattern; run waits for one", "mend "+ck.source())
	}
	for _, r := range ck.cfg.Routes {
		if r.Pattern != nil && len(in.Topics) > 0 && len(topicsOf(r, ck.cfg.Routes, in.Topics)) == 0 {
			ck.note("route", "no topic is left to "+config.Describe(r))
		}
	}
	for i := range in.Topics {
		t := &in.Topics[i]
		ck.fine("topic "+t.Name, counted(t.Partitions, "partition")+", "+counted(t.Records, "record"))
		if !t.HasID() {
			ck.note("topic "+t.Name, "the brokers give no topic ids: that it was deleted and made anew cannot be noticed")
		}
	}
}

// dialAny tells why none of the brokers answers, nil if one does.
func dialAny(ctx context.Context, brokers []string) error {
	var dialer net.Dialer
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	failures := make([]error, len(brokers))
	var dialing sync.WaitGroup
	for i, broker := range brokers {
		dialing.Go(func() {
			conn, err := dialer.DialContext(ctx, "tcp", broker)
			if err == nil {
				_ = conn.Close()
			}
			failures[i] = err
		})
	}
	dialing.Wait()
	for _, err := range failures {
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("no broker can be reached: %w", errors.Join(failures...))
}

// kafkaHint says what to look at where a broker listens, and does not talk.
func kafkaHint(c *config.Config) string {
	switch {
	case c.KafkaSASLMechanism != "":
		return "check SINKD_KAFKA_SASL_MECHANISM, SINKD_KAFKA_SASL_USERNAME and SINKD_KAFKA_SASL_PASSWORD, and whether the listener wants TLS (SINKD_KAFKA_TLS)"
	case c.TLS != nil:
		return "check whether the listener wants TLS, and SINKD_KAFKA_TLS_CA"
	}
	return "check whether the listener wants TLS (SINKD_KAFKA_TLS=true) or a login (SINKD_KAFKA_SASL_MECHANISM)"
}

// unreachableKafka is the error of a command that could not use the brokers.
func unreachableKafka(c *config.Config, err error) error {
	return unreachableError{hinted{err, "Kafka cannot be used", kafkaHint(c)}}
}
