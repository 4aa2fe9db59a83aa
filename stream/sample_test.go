package stream

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd/integration/lab"
)

// filled makes a topic t whose partitions have so many records, of which the
// first partition has lost the first ten.
func filled(t *testing.T, sizes ...int) Kafka {
	t.Helper()
	k := Kafka{Brokers: lab.Cluster(t, kfake.SeedTopics(int32(len(sizes)), "t")).ListenAddrs()}
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
