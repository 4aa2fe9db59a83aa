package stream

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sinkd/sinkd"
)

// State is a snapshot of the flow, for the status page and the probes.
type State struct {
	// Phase is starting, running, retrying, paused or halted.
	Phase string `json:"state"`
	// Ready tells that the flow moves records, or would if there were any.
	Ready bool `json:"ready"`
	// Live is false where a lane makes no step for far too long.
	Live bool `json:"live"`
	// Reason says in one sentence why the phase is not running.
	Reason     string           `json:"reason,omitempty"`
	Partitions []PartitionState `json:"partitions"`
	Lanes      []LaneState      `json:"lanes"`
	// Inflight and Memory are bytes: what records in flight hold, and may hold.
	Inflight int64 `json:"inflight_bytes"`
	Memory   int64 `json:"memory_limit_bytes"`
	// LastCommit is when this process landed a batch last, nil before that.
	LastCommit *time.Time `json:"last_commit_at,omitempty"`
	// Outages are the dependencies that do not answer.
	Outages []Outage `json:"outages,omitempty"`
}

// Outage is a dependency that does not answer.
type Outage struct {
	// Dependency is kafka or postgres.
	Dependency string    `json:"dependency"`
	Since      time.Time `json:"since"`
	Attempts   int       `json:"attempts"`
	// Next is when it is tried again.
	Next  time.Time `json:"next_at"`
	Error string    `json:"error"`
}

// PartitionState is one assigned partition.
type PartitionState struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// State is claiming, running, paused or halted.
	State    string `json:"state"`
	Position int64  `json:"position"`
	// Lag is the number of offsets to the end that may be read.
	Lag int64 `json:"lag_records"`
	// LagSeconds is the age of the oldest record not yet written.
	LagSeconds float64 `json:"lag_seconds"`
	// LogStart and End bound what may be read, as far as they were listed.
	LogStart int64 `json:"log_start_offset"`
	End      int64 `json:"end_offset"`
	// Lane is the lane that writes the partition, -1 for none.
	Lane int `json:"lane"`
	// Incident is the kind of what halted the partition, Detail what it says,
	// where no table keeps it.
	Incident string `json:"incident,omitempty"`
	Detail   string `json:"detail,omitempty"`
	// Waiting is since when the partition waits for a row that a foreign key
	// refers to, nil where it does not.
	Waiting *time.Time `json:"waiting_since,omitempty"`
}

// LaneState is what one lane does, since when.
type LaneState struct {
	Lane    int       `json:"lane"`
	State   string    `json:"state"`
	Since   time.Time `json:"since"`
	Queued  int       `json:"queued_records"`
	Claims  int       `json:"partitions"`
	Pending int       `json:"batches_under_way"`
}

// State gives a snapshot.
func (f *Flow) State() State {
	s := State{Phase: "running", Ready: true, Live: true, Inflight: f.budget.used.Load(), Memory: f.cfg.Memory}
	count := make(map[phase]int)
	for _, pt := range f.assigned.all() {
		count[pt.phase]++
		ps := pt.state()
		ps.LagSeconds = f.metrics.age(pt.progress()).Seconds()
		if f.positions != nil && pt.phase == halted {
			i := f.positions.incident(pt.Partition)
			ps.Incident, ps.Detail = i.Kind, i.Detail
		}
		s.Partitions = append(s.Partitions, ps)
	}
	slices.SortFunc(s.Partitions, func(a, b PartitionState) int {
		return sinkd.Partition{Topic: a.Topic, ID: a.Partition}.Compare(sinkd.Partition{Topic: b.Topic, ID: b.Partition})
	})
	for _, l := range f.lanes {
		st := l.snapshot()
		s.Lanes = append(s.Lanes, st)
		if st.Pending > 0 && st.State == string(laneWriting) && time.Since(st.Since) > f.stuckAfter() {
			s.Live, s.Reason = false, fmt.Sprintf("lane %d has made no step since %s", l.id, st.Since.Format(time.RFC3339))
		}
	}
	s.LastCommit, s.Outages = f.landings.last(), f.health.outages()
	f.judge(&s, count)
	return s
}

// judge gives the snapshot its phase, the worst that holds.
func (f *Flow) judge(s *State, count map[phase]int) {
	if d, o, failing := f.health.failingNow(); failing {
		s.Phase, s.Ready = "retrying", false
		s.Reason = fmt.Sprintf("%s: retrying since %s, attempt %d: %v", d, o.since.Format(time.TimeOnly), o.attempts, o.err)
		return
	}
	switch {
	case count[halted] > 0:
		s.Phase, s.Reason = "halted", partitions(count[halted], "halted; see "+f.see())
		s.Ready = count[running] > 0
	case count[paused] > 0:
		s.Phase, s.Reason = "paused", partitions(count[paused], "paused")
	case len(s.Partitions) == 0 && f.spare():
		s.Reason = "other replicas have all partitions"
	case count[claiming] > 0, len(s.Partitions) == 0:
		s.Phase, s.Ready = "starting", false
		s.Reason = fmt.Sprintf("%d partitions wait for their claim", count[claiming])
		if len(s.Partitions) == 0 {
			s.Reason = "no partitions are assigned"
			if names := f.missing.Load(); names != nil && len(*names) > 0 {
				s.Reason += "; at the start there was no topic " + strings.Join(*names, ", ")
			}
		}
	}
}

// spare tells that there are topics, and that other replicas have all of their
// partitions: this one is ready to take over.
func (f *Flow) spare() bool {
	if !f.idle.Load() {
		return false
	}
	names := f.missing.Load()
	return len(f.present) > 0 && (names == nil || len(*names) == 0)
}

// partitions says of how many partitions something is true.
func partitions(n int, what string) string {
	if n == 1 {
		return "1 partition is " + what
	}
	return fmt.Sprintf("%d partitions are %s", n, what)
}

// stuckAfter is how long a lane may go without a step: ten times the time that
// one may take.
func (f *Flow) stuckAfter() time.Duration { return 10 * f.cfg.StepTimeout }

func (pt *part) state() PartitionState {
	at := pt.progress()
	s := PartitionState{
		Topic: pt.Topic, Partition: pt.ID, State: string(pt.phase), Lane: -1,
		Position: at.landed, Lag: max(at.known-at.landed, 0), LogStart: pt.start, End: at.known,
	}
	if pt.queue != nil {
		s.Lane, s.Waiting = pt.queue.lane.id, pt.queue.waiting()
	}
	return s
}

func (l *lane) snapshot() LaneState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return LaneState{
		Lane: l.id, State: string(l.state), Since: l.since,
		Queued: l.queued, Claims: len(l.queues), Pending: len(l.flights),
	}
}
