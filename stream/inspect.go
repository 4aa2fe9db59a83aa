package stream

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
)

// Inspection is what the brokers say to somebody who joins no group.
type Inspection struct {
	Cluster string
	Brokers []Broker
	// Topics are those that exist of the ones asked for.
	Topics []TopicState
	// Missing are the names that were asked for and do not exist.
	Missing []string
}

// Broker is one broker as it advertises itself.
type Broker struct {
	ID   int32
	Addr string
	// Err tells why the advertised address cannot be reached from here.
	Err error
}

// TopicState is one topic with the bounds of its log.
type TopicState struct {
	sinkd.Topic
	// Records is the sum of offsets between log start and last stable offset.
	Records int64
}

// HasID tells whether the brokers give topic ids; without, it cannot be noticed
// that a topic was made anew.
func (t *TopicState) HasID() bool { return t.ID != uuid.Nil }

// Inspect asks the brokers for themselves and for the topics by name or
// pattern. Where only the latter fails, what is known of the brokers is given
// beside the error.
func Inspect(ctx context.Context, k Kafka, names []string, patterns []*regexp.Regexp) (*Inspection, error) {
	b, err := newBrokers(&k)
	if err != nil {
		return nil, err
	}
	defer b.close()
	f := &Flow{cfg: Config{Topics: names, Patterns: patterns}, brokers: b}
	m, err := b.admin.BrokerMetadata(ctx)
	if err != nil {
		return nil, fmt.Errorf("reach the brokers: %w", err)
	}
	in := &Inspection{Cluster: m.Cluster}
	for _, d := range m.Brokers {
		in.Brokers = append(in.Brokers, Broker{ID: d.NodeID, Addr: net.JoinHostPort(d.Host, strconv.Itoa(int(d.Port)))})
	}
	if !in.dial(ctx) {
		// The topics may be on the brokers that were reached; the client would try
		// the others for as long as it may.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, dialTime)
		defer cancel()
	}
	all, err := b.topics(ctx)
	if err != nil {
		return in, err
	}
	for _, n := range names {
		if _, ok := all[n]; !ok {
			in.Missing = append(in.Missing, n)
		}
	}
	for name, t := range all {
		if !f.subscribes(name) {
			continue
		}
		st := TopicState{Topic: t}
		log, err := b.bounds(ctx, name)
		if err != nil {
			return in, err
		}
		for _, e := range log {
			st.Records += e.stable - e.start
		}
		in.Topics = append(in.Topics, st)
	}
	return in, nil
}

// dialTime is how long an advertised address may take to answer.
const dialTime = 3 * time.Second

// dial tells whether all advertised addresses can be reached from here, and
// notes why not.
func (in *Inspection) dial(ctx context.Context) bool {
	var dialing sync.WaitGroup
	for i := range in.Brokers {
		broker := &in.Brokers[i]
		dialing.Go(func() {
			d := net.Dialer{Timeout: dialTime}
			conn, err := d.DialContext(ctx, "tcp", broker.Addr)
			if broker.Err = err; err == nil {
				_ = conn.Close()
			}
		})
	}
	dialing.Wait()
	return !slices.ContainsFunc(in.Brokers, func(b Broker) bool { return b.Err != nil })
}

// Starts describes a topic as it is now, and gives the offset of each of its
// partitions where the policy would begin.
func Starts(ctx context.Context, k Kafka, topic string, s Start) (sinkd.Topic, []int64, error) {
	b, err := newBrokers(&k)
	if err != nil {
		return sinkd.Topic{}, nil, err
	}
	defer b.close()
	topics, err := b.topics(ctx, topic)
	if err != nil {
		return sinkd.Topic{}, nil, err
	}
	t, ok := topics[topic]
	if !ok {
		return sinkd.Topic{}, nil, fmt.Errorf("topic %s: %w", topic, ErrNoTopic)
	}
	starts, err := b.starts(ctx, t, s)
	return t, starts, err
}

// Answering asks the brokers for their cluster, and tells why they do not
// answer.
func Answering(ctx context.Context, k Kafka) error {
	b, err := newBrokers(&k)
	if err != nil {
		return err
	}
	defer b.close()
	_, err = b.cluster(ctx)
	return err
}
