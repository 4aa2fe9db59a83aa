package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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
	// who are the lanes whose batch keeps failing, or the brokers whose fetch does,
	// nobody for whatever else: that others are answered does not end it for them.
	who      map[int]bool
	since    time.Time
	attempts int
	err      error
	next     time.Time
	logged   time.Time
}

const (
	// nobody is for what is neither a lane's batch nor a fetch from a broker.
	nobody = -1
	// leadership is the look-up of leaders.
	leadership = -2
)

func newHealth(f *Flow) *health {
	return &health{flow: f, outage: make(map[dependency]*outage)}
}

// up tells that a dependency answered.
func (h *health) up(d dependency) { h.over(d, nobody) }

// gave tells that a broker answered a fetch.
func (h *health) gave(broker int32) {
	h.over(kafka, int(broker))
	h.up(kafka)
}

// led tells how it went to ask for leaders, and which brokers lead what is read:
// that others fail is of no matter any more.
func (h *health) led(err error, brokers map[int32]bool) {
	if err != nil {
		h.fails(kafka, leadership, err, leaderInterval)
	} else {
		h.over(kafka, leadership)
	}
	for _, who := range h.failingOf(kafka) {
		if who >= 0 && !brokers[int32(who)] {
			h.over(kafka, who)
		}
	}
}

// failingOf gives for whom a dependency fails.
func (h *health) failingOf(d dependency) []int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o := h.outage[d]; o != nil {
		return slices.Collect(maps.Keys(o.who))
	}
	return nil
}

// moved tells that a lane is done with its batch.
func (h *health) moved(lane int) { h.over(postgres, lane) }

func (h *health) over(d dependency, who int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := h.outage[d]
	if who != nobody && (o == nil || !o.who[who]) {
		return
	}
	if o != nil {
		if delete(o.who, who); len(o.who) > 0 {
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
	h.fails(on, nobody, err, d)
}

// retrying tells that a lane's batch failed and is tried again after d.
func (h *health) retrying(lane int, err error, d time.Duration) { h.fails(postgres, lane, err, d) }

// unanswered tells that fetches from a broker fail.
func (h *health) unanswered(broker int32, err error) {
	h.fails(kafka, int(broker), fmt.Errorf("fetch from broker %d: %w", broker, err), 0)
}

func (h *health) fails(on dependency, who int, err error, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flow.metrics.dependency(on, false)
	o := h.outage[on]
	if o == nil {
		o = &outage{since: time.Now(), who: make(map[int]bool)}
		h.outage[on] = o
	}
	o.who[who] = true
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
