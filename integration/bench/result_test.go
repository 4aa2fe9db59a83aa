package main

import (
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for _, c := range []struct {
		values []time.Duration
		q      float64
		want   time.Duration
	}{
		{nil, 0.5, 0},
		{[]time.Duration{7}, 0.99, 7},
		{hundred, 0, 1},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
		{hundred[:10], 0.99, 100},
	} {
		if got := quantile(c.values, c.q); got != c.want {
			t.Errorf("quantile(%d values, %v) = %d, want %d", len(c.values), c.q, got, c.want)
		}
	}
}

func TestRatioIsTheMedianOfTheRounds(t *testing.T) {
	run := func(seconds int) sample { return sample{records: 100, wall: time.Duration(seconds) * time.Second} }
	// The machine is half as fast in the last round: that is not sinkd's doing.
	r := race{ways: []way{
		{result: result{samples: []sample{run(4), run(4), run(8)}}},
		{result: result{samples: []sample{run(2), run(2), run(4)}}},
	}}
	if got := r.results()[1].ratio; got != 2 {
		t.Errorf("ratio %v, want 2", got)
	}
}

func TestBars(t *testing.T) {
	fast := sample{records: 1e6, wall: time.Second, cpu: 700 * time.Millisecond, peak: 300 << 20}
	slow := sample{records: 1e6, wall: time.Second, cpu: 900 * time.Millisecond, peak: 400 << 20}
	for _, c := range []struct {
		name    string
		results []result
		missed  []string
	}{
		{"all met", []result{
			{name: copyName, rival: true, samples: []sample{slow}},
			{name: "append/4", ratio: 1.5, ratios: []float64{1.5}, samples: []sample{fast}},
			{name: "append/100", ratio: 1.4, ratios: []float64{1.4}, samples: []sample{fast}},
			{name: "latency/idle", delays: []time.Duration{19 * time.Millisecond}},
		}, nil},
		{"all missed", []result{
			{name: "append/4", ratio: 1.3, ratios: []float64{1.3}, samples: []sample{slow}},
			{name: "append/100", ratio: 1.1, ratios: []float64{1.1}, samples: []sample{fast}},
			{name: "memory/1MB", samples: []sample{slow}},
			{name: "latency/idle", delays: []time.Duration{20 * time.Millisecond}},
		}, []string{
			"append, default settings", "CPU of sinkd, append", "100 partitions", "peak memory, 1MB",
			"peak memory, all other runs", "to visible p99, after a quiet half second",
		}},
	} {
		missed := make(map[string]bool)
		for _, b := range bars(c.results) {
			if !b.met {
				missed[b.what] = true
			}
		}
		for _, want := range c.missed {
			if !missed[want] {
				t.Errorf("%s: bar %q is met", c.name, want)
			}
		}
		if len(missed) != len(c.missed) {
			t.Errorf("%s: missed %v, want %v", c.name, missed, c.missed)
		}
	}
}
