package stream

import (
	"context"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Timing of the group that is not configurable: a dead member is noticed by
// its session timeout, a rebalance by the next heartbeat, a new partition by
// the next metadata.
const (
	heartbeat   = 500 * time.Millisecond
	metadataAge = 30 * time.Second
	// fetchWait is how long a broker holds a fetch back that finds nothing. One
	// is under way to a broker, so this is also how long a partition may wait that
	// was not asked for; soonWait where that is to be short.
	fetchWait = 250 * time.Millisecond
	soonWait  = 20 * time.Millisecond
)

// options gives what every client of ours has in common.
func (k *Kafka) options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(k.Brokers...),
		kgo.MetadataMaxAge(metadataAge),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RetryTimeout(10 * time.Second),
	}
	if k.ClientID != "" {
		opts = append(opts, kgo.ClientID(k.ClientID))
	}
	if k.Rack != "" {
		opts = append(opts, kgo.Rack(k.Rack))
	}
	if k.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(k.TLS))
	}
	if m := k.SASL.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts
}

// mechanism gives the client's SASL mechanism, nil for none.
func (s *SASL) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case "PLAIN":
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			pass, err := s.Password()
			return plain.Auth{User: s.Username, Pass: pass}, err
		})
	case "SCRAM-SHA-256":
		return scram.Sha256(s.scram)
	case "SCRAM-SHA-512":
		return scram.Sha512(s.scram)
	}
	return nil
}

func (s *SASL) scram(context.Context) (scram.Auth, error) {
	pass, err := s.Password()
	return scram.Auth{User: s.Username, Pass: pass}, err
}

// isolation gives the isolation level that records are read with.
func (k *Kafka) isolation() kgo.IsolationLevel {
	if k.ReadUncommitted {
		return kgo.ReadUncommitted()
	}
	return kgo.ReadCommitted()
}

// groupOptions makes a client a member of the consumer group, which is all that
// it does by itself: it reads nothing of what it is assigned (unread). The fetcher
// lends its connections.
func (f *Flow) groupOptions() []kgo.Opt {
	k := &f.cfg.Kafka
	opts := append(k.options(),
		kgo.ConsumerGroup(k.Group),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.HeartbeatInterval(heartbeat),
		kgo.SessionTimeout(k.SessionTimeout),
		kgo.RebalanceTimeout(k.RebalanceTimeout),
		kgo.DisableAutoCommit(),
		kgo.WithHooks(f.metrics.client),
		kgo.BrokerMaxReadBytes(1<<30),
		kgo.AdjustFetchOffsetsFn(unread),
		kgo.OnPartitionsAssigned(f.onAssigned),
		kgo.OnPartitionsRevoked(f.onRevoked),
		kgo.OnPartitionsLost(f.onLost),
	)
	if k.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(k.InstanceID))
	}
	topics, regex := subscription(f.cfg.Topics, f.cfg.Patterns)
	opts = append(opts, kgo.ConsumeTopics(topics...))
	if regex {
		opts = append(opts, kgo.ConsumeRegex())
	}
	return opts
}

// subscription gives what the client subscribes to. It takes either names or
// patterns, so names become patterns where there is one.
func subscription(names []string, patterns []*regexp.Regexp) (topics []string, regex bool) {
	if len(patterns) == 0 {
		return names, false
	}
	for _, n := range names {
		topics = append(topics, "^"+regexp.QuoteMeta(n)+"$")
	}
	for _, p := range patterns {
		topics = append(topics, "^(?:"+p.String()+")$")
	}
	return topics, true
}
