package stream

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
)

// filled makes a topic t whose partitions have so many records, of which the
// first partition has lost the first ten.
func filled(t *testing.T, sizes ...int) Kafka {
	t.Helper()
	return fillTopic(t, lab.Cluster(t, kfake.SeedTopics(int32(len(sizes)), "t")), sizes...)
}

// fillTopic fills the topic t of a cluster.
func fillTopic(t *testing.T, c *kfake.Cluster, sizes ...int) Kafka {
	t.Helper()
	k := Kafka{Brokers: c.ListenAddrs()}
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for id, n := range sizes {
		for i := range n {
			rec := &kgo.Record{Partition: int32(id), Value: fmt.Append(nil, i)}
			if err := client.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone := make(kadm.Offsets)
	gone.AddOffset("t", 0, 10, -1)
	if _, err := kadm.NewClient(client).DeleteRecords(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	return k
}

// read tells which records were read, and what is next.
func (s *Sampled) read() string {
	var parts []string
	for _, rec := range s.Records {
		parts = append(parts, fmt.Sprintf("%d/%d", rec.Partition, rec.Offset))
	}
	return fmt.Sprintf("%s next %d outside %d", strings.Join(parts, " "), s.Next, s.Outside)
}

func TestSampleIsOfBothEnds(t *testing.T) {
	t.Parallel()
	k := filled(t, 30, 3, 0)
	for n, want := range map[int]string{
		1:  "0/10 0/29 next [30 3 0] outside []",
		8:  "0/10 0/11 0/12 0/13 0/14 0/25 0/26 0/27 0/28 0/29 1/0 1/1 1/2 next [30 3 0] outside []",
		99: "0/10 0/11 0/12 0/13 0/14 0/15 0/16 0/17 0/18 0/19 0/20 0/21 0/22 0/23 0/24 0/25 0/26 0/27 0/28 0/29 1/0 1/1 1/2 next [30 3 0] outside []",
	} {
		s, err := Sample(t.Context(), k, "t", n)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.read(); got != want || s.Total != 23 || s.Err != nil {
			t.Errorf("%d: %s of %d\nwant %s", n, got, s.Total, want)
		}
	}
	if _, err := Sample(t.Context(), k, "none", 1); !errors.Is(err, ErrNoTopic) {
		t.Error(err)
	}
}

func TestReadFromPositions(t *testing.T) {
	t.Parallel()
	k := filled(t, 30, 3)
	for _, c := range []struct {
		positions []int64
		n         int
		bytes     int64
		want      string
	}{
		{[]int64{27, 2}, 9, 1 << 20, "0/27 0/28 0/29 1/2 next [30 3] outside []"},
		{[]int64{27, 0}, 3, 1 << 20, "0/27 0/28 1/0 next [29 1] outside []"},
		{[]int64{5, 3}, 2, 1 << 20, "0/10 0/11 next [12 3] outside [0]"},
		{[]int64{31, 3}, 1, 1 << 20, "0/10 next [11 3] outside [0]"},
		{[]int64{27}, 9, 1, "0/27 next [28 0] outside []"},
	} {
		s, err := ReadFrom(t.Context(), k, "t", c.positions, c.n, c.bytes)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.read(); got != c.want {
			t.Errorf("from %d: %s\nwant %s", c.positions, got, c.want)
		}
	}
}

// TestPartitionThatMovesIsFollowed: the new leader is not known at once, so the
// tries to read beside the group are some time apart.
func TestPartitionThatMovesIsFollowed(t *testing.T) {
	for name, read := range map[string]func(*reader) (int, error){
		"sample": func(r *reader) (int, error) {
			err := r.read(t.Context(), 0, 30, 100)
			return len(r.Records), err
		},
		"again": func(r *reader) (int, error) {
			piece := sinkd.Range{Claim: &sinkd.Claim{Partition: sinkd.Partition{Topic: "t"}}, From: 10, Until: 30}
			err := (&Again{reader: *r}).piece(t.Context(), &piece)
			return piece.Records.Len(), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := lab.Cluster(t, kfake.SeedTopics(1, "t"))
			k := fillTopic(t, c, 30)
			b, err := newBrokers(&k)
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			r := &reader{kafka: &k, log: newLogReader(&k), brokers: b, room: sampleBytes}
			if err := r.describe(t.Context(), "t"); err != nil {
				t.Fatal(err)
			}
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "t", Err: kerr.NotLeaderForPartition, Count: moves})
			began := time.Now()
			n, err := read(r)
			if took := time.Since(began); n != 20 || err != nil || took < 300*time.Millisecond {
				t.Errorf("%d records of 20 in %s: %v", n, took, err)
			}
		})
	}
}

// TestPartitionsThatAreAddedMeanwhile have bounds, and no place among those that
// were described.
func TestPartitionsThatAreAddedMeanwhile(t *testing.T) {
	r := &reader{Sampled: Sampled{Next: make([]int64, 1)}, bounds: map[sinkd.Partition]bounds{
		{ID: 0}: {start: 3, stable: 5}, {ID: 1}: {start: 7, stable: 9},
	}}
	if r.rewind(); r.Next[0] != 3 || r.Total != 2 {
		t.Errorf("%d offsets from %d on", r.Total, r.Next)
	}
}
