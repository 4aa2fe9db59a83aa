package web

import (
	"cmp"
	"slices"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
)

const (
	// partitionsShown is how many partitions the page gets, the worst first.
	partitionsShown = 1000
	// observed is how old the last observation of a partition may be for its
	// writer to count as alive: three of its intervals.
	observed = 30 * time.Second
)

// Partition is one partition as the page shows it: what this process knows of
// its own, and what the database tells of the others'.
type Partition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// State is claiming, running, waiting, paused, halted, silent (its replica
	// says nothing any more) or free.
	State    string `json:"state"`
	Why      string `json:"why,omitempty"`
	Position int64  `json:"position"`
	LogStart int64  `json:"log_start"`
	End      int64  `json:"end"`
	Lag      int64  `json:"lag_records"`
	// Seconds is the age of the oldest record not yet written, nil where nobody
	// has told.
	Seconds *float64   `json:"lag_seconds"`
	Owner   string     `json:"owner,omitempty"`
	Since   *time.Time `json:"since,omitempty"`
	Lane    int        `json:"lane"`
	commit  *time.Time
}

// merge gives all partitions, the worst first.
func merge(st *Status, seen *sight) []Partition {
	parts := make(map[sinkd.Partition]*Partition)
	for i := range seen.view.Status.Partitions {
		row := &seen.view.Status.Partitions[i]
		parts[sinkd.Partition{Topic: row.Topic, ID: row.Partition}] = kept(row, &seen.view.Status)
	}
	for i := range st.Partitions {
		own := &st.Partitions[i]
		id := sinkd.Partition{Topic: own.Topic, ID: own.Partition}
		p := parts[id]
		if p == nil {
			p = &Partition{Topic: own.Topic, Partition: own.Partition}
			parts[id] = p
		}
		p.held(own, st.Writer)
	}
	all := make([]Partition, 0, len(parts))
	for _, p := range parts {
		all = append(all, *p)
	}
	slices.SortFunc(all, worse)
	return all
}

// kept is a partition as the database tells of it.
func kept(row *store.PartitionStatus, st *store.Status) *Partition {
	p := &Partition{
		Topic: row.Topic, Partition: row.Partition, Position: row.Next, Why: row.Halted,
		Owner: row.Writer, Since: row.Claimed, Lane: -1, commit: row.LastCommit,
	}
	p.LogStart, p.End = value(row.LogStart, row.Next), max(value(row.End, row.Next), row.Next)
	p.Lag, p.Seconds = p.End-p.Position, row.Seconds
	if p.Lag == 0 {
		p.Seconds = new(float64)
	}
	switch {
	case row.Halted != "":
		p.State = "halted"
	case row.Paused || st.Paused:
		p.State = "paused"
	case row.Released != nil || row.Writer == "":
		p.State, p.Owner, p.Since = "free", "", row.Released
	case row.Observed == nil || st.Now.Sub(*row.Observed) > observed:
		p.State = "silent"
	default:
		p.State = "running"
	}
	return p
}

func value(n *int64, otherwise int64) int64 {
	if n == nil {
		return otherwise
	}
	return *n
}

// held puts in what this process knows of a partition that it holds.
func (p *Partition) held(own *stream.PartitionState, writer string) {
	if own.State != "halted" {
		p.Why = ""
	} else if own.Incident != "" {
		p.Why = own.Incident
	}
	p.State, p.Lane = own.State, own.Lane
	if own.State == "claiming" {
		return // what it believed before the claim is older than the database
	}
	if p.Owner != writer {
		p.Owner, p.Since = writer, nil
	}
	p.Position, p.Lag, p.Seconds = own.Position, own.Lag, &own.LagSeconds
	p.LogStart, p.End = own.LogStart, max(own.End, own.Position)
	if own.Waiting != nil {
		p.State, p.Since = "waiting", own.Waiting
		p.Why = "a row that a foreign key refers to is missing"
	}
}

// rank orders states by how much they need a look.
func rank(state string) int {
	return slices.Index([]string{"halted", "silent", "waiting", "paused", "free", "claiming", "running"}, state)
}

// worse orders partitions: stopped ones first, then those that are most behind.
func worse(a, b Partition) int {
	return cmp.Or(
		cmp.Compare(rank(a.State), rank(b.State)),
		cmp.Compare(seconds(b), seconds(a)),
		cmp.Compare(b.Lag, a.Lag),
		cmp.Compare(a.Topic, b.Topic),
		cmp.Compare(a.Partition, b.Partition),
	)
}

func seconds(p Partition) float64 {
	if p.Seconds == nil {
		return 0
	}
	return *p.Seconds
}
