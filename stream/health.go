package stream

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sinkd/sinkd"
)

// dependency is what the flow cannot work without, as the metrics name it.
type dependency string

const (
	kafka    dependency = "kafka"
	postgres dependency = "postgres"
)

// health remembers what keeps failing, for people: since when, how often, and
// when it is tried next. Each outage gives one line when it begins, one for
// each growing pause, and one when it ends.
type health struct {
	flow *Flow

	mu     sync.Mutex
	outage map[dependency]*outage
}

type outage struct {
	since    time.Time
	attempts int
	err      error
	next     time.Time
	logged   time.Time
}

func newHealth(f *Flow) *health {
	return &health{flow: f, outage: make(map[dependency]*outage)}
}

// up tells that a dependency answered.
func (h *health) up(d dependency) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flow.metrics.dependency(d, true)
	o := h.outage[d]
	if o == nil {
		return
	}
	delete(h.outage, d)
	h.flow.log.Info(string(d)+" answers again", slog.Int("attempts", o.attempts),
		slog.Duration("after", time.Since(o.since).Round(time.Millisecond)))
}

// failing tells that something transient failed and is tried again after d. All
// errors of the store are classified ones; what is not comes from the brokers.
func (h *health) failing(err error, d time.Duration) {
	on := kafka
	var e *sinkd.Error
	if errors.As(err, &e) {
		on = postgres
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flow.metrics.dependency(on, false)
	o := h.outage[on]
	if o == nil {
		o = &outage{since: time.Now()}
		h.outage[on] = o
	}
	o.attempts++
	o.err, o.next = err, time.Now().Add(d)
	if time.Since(o.logged) > min(time.Since(o.since)/2+time.Second, time.Minute) {
		o.logged = time.Now()
		h.flow.log.Warn(string(on)+" fails, trying again", slog.Any("error", err),
			slog.Int("attempt", o.attempts), slog.Duration("in", d.Round(time.Millisecond)))
	}
}

// failingNow tells what fails at the moment, empty for nothing.
func (h *health) failingNow() (dependency, outage, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for d, o := range h.outage {
		return d, *o, true
	}
	return "", outage{}, false
}
