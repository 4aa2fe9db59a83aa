package web

import (
	"slices"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

const (
	// samplesKept is how many samples the charts show: a quarter of an hour.
	samplesKept = 900
	// smooth is the time that a rate is the average of: the ends of logs are
	// listed every ten seconds.
	smooth = 10 * time.Second
	// trend is the time from whose net rate the rest is foretold.
	trend = 2 * time.Minute
)

// sample is what came in and was written since the sample before.
type sample struct {
	at      time.Time
	in, out float64
	behind  float64
	lag     int64
}

// Sample is one moment of the charts: records a second, and seconds behind.
type Sample struct {
	At     int64    `json:"t"` // milliseconds since 1970
	In     *float64 `json:"in"`
	Out    float64  `json:"out"`
	Behind float64  `json:"behind"`
	number int
}

// rates follow how far the partitions come.
type rates struct {
	raw    []sample
	shown  []Sample
	number int
	before map[sinkd.Partition]offsets
}

// offsets are a partition's position and end.
type offsets struct{ position, end int64 }

// add takes a sample.
func (r *rates) add(now time.Time, parts []Partition) {
	if n := len(r.raw); n > 0 && now.Sub(r.raw[n-1].at) < beat/2 {
		return
	}
	s := sample{at: now}
	next := make(map[sinkd.Partition]offsets, len(parts))
	for i := range parts {
		p := &parts[i]
		id := sinkd.Partition{Topic: p.Topic, ID: p.Partition}
		o := offsets{p.Position, max(p.End, p.Position)}
		if old, ok := r.before[id]; ok {
			s.out += float64(max(o.position-old.position, 0))
			s.in += float64(max(o.end-old.end, 0))
			o.end = max(o.end, old.end)
		}
		next[id] = o
		s.lag += p.Lag
		if p.Seconds != nil {
			s.behind = max(s.behind, *p.Seconds)
		}
	}
	r.before = next
	r.raw = append(r.raw, s)
	r.raw = r.raw[max(len(r.raw)-samplesKept, 0):]
	if len(r.raw) > 1 {
		in, out := r.average(smooth)
		r.show(Sample{At: now.UnixMilli(), In: &in, Out: out, Behind: s.behind})
	}
}

func (r *rates) show(s Sample) {
	r.number++
	s.number = r.number
	r.shown = append(r.shown, s)
	r.shown = r.shown[max(len(r.shown)-samplesKept, 0):]
}

// average gives records a second, over at most d until now.
func (r *rates) average(d time.Duration) (in, out float64) {
	last := r.raw[len(r.raw)-1].at
	began := last
	for _, s := range slices.Backward(r.raw) {
		began = s.at
		if last.Sub(s.at) >= d {
			break
		}
		in, out = in+s.in, out+s.out
	}
	if seconds := last.Sub(began).Seconds(); seconds > 0 {
		return in / seconds, out / seconds
	}
	return 0, 0
}

// left foretells how long it takes to catch up; ok is false where there is
// nothing to foretell.
func (r *rates) left() (d time.Duration, ok bool) {
	if len(r.raw) < 5 {
		return 0, false
	}
	in, out := r.average(trend)
	lag := r.raw[len(r.raw)-1].lag
	if net := out - in; lag > 0 && net > 0 && float64(lag) > out {
		return time.Duration(float64(lag) / net * float64(time.Second)), true
	}
	return 0, false
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// recall makes samples of what the ledger tells of the time before this
// process; what came in then is not known.
func (r *rates) recall(batches []store.LedgerBatch) {
	until := time.Now().Add(-beat)
	if len(r.raw) > 0 {
		until = r.raw[0].at
	}
	began := until.Add(-samplesKept * beat)
	if len(batches) > 0 { // the newest comes first
		began = later(began, batches[len(batches)-1].Committed)
	}
	slots := make(map[int64]Sample)
	for i := range batches {
		b := &batches[i]
		if b.Committed.Before(began) || !b.Committed.Before(until) {
			continue
		}
		slot := b.Committed.Truncate(smooth).UnixMilli()
		s := slots[slot]
		s.At = slot
		s.Out += float64(b.Records) / smooth.Seconds()
		s.Behind = max(s.Behind, b.Behind)
		slots[slot] = s
	}
	after := r.shown
	r.shown = nil
	for at := began.Truncate(smooth); at.Before(until) && len(slots) > 0; at = at.Add(smooth) {
		s := slots[at.UnixMilli()]
		s.At = at.UnixMilli()
		r.show(s)
	}
	for _, s := range after {
		r.show(s)
	}
}
