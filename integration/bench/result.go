package main

import (
	"cmp"
	"runtime"
	"slices"
	"time"
)

// sample is one run.
type sample struct {
	records int
	wall    time.Duration
	cpu     time.Duration
	sys     time.Duration // the system's part of cpu
	peak    int64
	usage   usage
	// wal are the bytes of WAL that the server wrote meanwhile, size those of
	// table and indexes afterwards.
	wal, size int64
}

// rate is in records a second.
func (s sample) rate() float64 { return float64(s.records) / s.wall.Seconds() }

// perMillion scales a CPU time to seconds a million records.
func (s sample) perMillion(d time.Duration) float64 { return d.Seconds() / float64(s.records) * 1e6 }

// other is the CPU time that neither of the parts was charged with.
func (s sample) other() time.Duration {
	u := s.usage
	return max(0, u.machine-u.postgres-u.broker-u.self-s.cpu)
}

// disturbed is the part of the machine that others took.
func (s sample) disturbed() float64 {
	return s.other().Seconds() / s.wall.Seconds() / float64(runtime.NumCPU())
}

// result is what became of one way to load, over all rounds.
type result struct {
	name    string
	samples []sample
	// rival tells that it is not sinkd's.
	rival bool
	// ratio is the rate against psql's; 0 = there was none.
	ratio float64
	// ratios are those of the rounds.
	ratios []float64
	delays []time.Duration
}

// median gives the median of what f gives of the samples.
func (r *result) median(f func(sample) float64) float64 {
	values := make([]float64, 0, len(r.samples))
	for _, s := range r.samples {
		values = append(values, f(s))
	}
	return median(values)
}

// peak gives the most memory of all runs.
func (r *result) peak() int64 {
	var most int64
	for _, s := range r.samples {
		most = max(most, s.peak)
	}
	return most
}

// quantile gives the delay that so large a part of the delays does not exceed.
func (r *result) quantile(q float64) time.Duration { return quantile(r.delays, q) }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// quantile gives the smallest value that at least the part q of the values
// does not exceed.
func quantile[T cmp.Ordered](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		var none T
		return none
	}
	n := int(q*float64(len(sorted)) + 0.999999)
	return sorted[min(max(n-1, 0), len(sorted)-1)]
}
