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
	// registrySeries is only a series so far.
	registrySeries dependency = "schema_registry"
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
	// lanes are those whose batch keeps failing, noLane for whatever else does:
	// that the database answers others does not end it for them.
	lanes    map[int]bool
	since    time.Time
	attempts int
	err      error
	next     time.Time
	logged   time.Time
}

// noLane is what is not a lane's batch.
const noLane = -1

func newHealth(f *Flow) *health {
	return &health{flow: f, outage: make(map[dependency]*outage)}
}

// up tells that a dependency answered.
func (h *health) up(d dependency) { h.over(d, noLane) }

// moved tells that a lane is done with its batch.
func (h *health) moved(lane int) { h.over(postgres, lane) }

func (h *health) over(d dependency, lane int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := h.outage[d]
	if lane != noLane && (o == nil || !o.lanes[lane]) {
		return
	}
	if o != nil {
		if delete(o.lanes, lane); len(o.lanes) > 0 {
			return
		}
	}
	h.flow.metrics.dependency(d, true)
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
	h.fails(on, noLane, err, d)
}

// retrying tells that a lane's batch failed and is tried again after d.
func (h *health) retrying(lane int, err error, d time.Duration) { h.fails(postgres, lane, err, d) }

func (h *health) fails(on dependency, lane int, err error, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flow.metrics.dependency(on, false)
	o := h.outage[on]
	if o == nil {
		o = &outage{since: time.Now(), lanes: make(map[int]bool)}
		h.outage[on] = o
	}
	o.lanes[lane] = true
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

// outages gives what fails at the moment, by name.
func (h *health) outages() (all []Outage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range []dependency{kafka, postgres} {
		if o := h.outage[d]; o != nil {
			all = append(all, Outage{
				Dependency: string(d), Since: o.since, Attempts: o.attempts, Next: o.next, Error: o.err.Error(),
			})
		}
	}
	return all
}
