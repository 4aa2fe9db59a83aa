package web

import (
	"slices"
	"strings"
	"time"

	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
)

// now is the part of the page that changes every second.
type now struct {
	Time      time.Time `json:"now"`
	Headline  headline  `json:"headline"`
	Pipeline  string    `json:"pipeline"`
	Version   string    `json:"version"`
	Writer    string    `json:"writer"`
	Guarantee string    `json:"guarantee"`
	Limits    []string  `json:"limits"`
	Lag       int64     `json:"lag_records"`
	// Away tells that something does not answer, so Lag may be an old one.
	Away     bool               `json:"away"`
	Left     string             `json:"left,omitempty"`
	In       float64            `json:"in"`
	Out      float64            `json:"out"`
	Bound    string             `json:"bound_by,omitempty"`
	Lanes    []stream.LaneState `json:"lanes"`
	Inflight int64              `json:"inflight_bytes"`
	Memory   int64              `json:"memory_limit_bytes"`
	Ledger   ledgerShown        `json:"ledger"`
}

// partitionsPart is the table of partitions.
type partitionsPart struct {
	Total  int         `json:"total"`
	Halted int         `json:"halted"`
	Behind int         `json:"behind"`
	Worst  []Partition `json:"worst"`
}

// replica is one process of the pipeline, as the database tells of it.
type replica struct {
	Writer     string `json:"writer"`
	Here       bool   `json:"here"`
	Partitions int    `json:"partitions"`
	Sessions   int    `json:"sessions"`
	// Seen is when it told of a partition last.
	Seen *time.Time `json:"seen_at,omitempty"`
}

// sessionsPart is what the database tells of replicas.
type sessionsPart struct {
	Server   string             `json:"server"`
	Group    string             `json:"kafka_group"`
	Cluster  string             `json:"cluster_id"`
	Replicas []replica          `json:"replicas"`
	Sessions []store.SessionRow `json:"sessions"`
}

// show publishes all parts of the page; the mutex is held.
func (p *Page) show(at time.Time, st *Status, parts []Partition) {
	n := now{
		Time: at, Headline: tell(st, parts, &p.sight), Pipeline: st.Pipeline, Version: st.Version, Writer: st.Writer,
		Guarantee: st.Guarantee, Limits: st.Limits, Lanes: st.Lanes, Inflight: st.Inflight, Memory: st.Memory,
		Ledger: p.sight.shown(p.cfg.Ledger != nil), Away: len(st.Outages) > 0,
	}
	t := partitionsPart{Total: len(parts), Worst: parts[:min(len(parts), partitionsShown)]}
	for i := range parts {
		n.Lag += parts[i].Lag
		if parts[i].State == "halted" {
			t.Halted++
		}
		if parts[i].Lag > 0 {
			t.Behind++
		}
	}
	if w := p.history.work(st); w != nil {
		n.Bound = w.Bound
	}
	if len(p.rates.raw) > 1 {
		n.In, n.Out = p.rates.average(smooth)
	}
	if left, ok := p.rates.left(); ok {
		n.Left = "caught up in about " + span(left)
	}
	p.publish("now", n)
	p.publish("partitions", t)
	p.publish("person", cards(st, &p.sight, p.cfg.Ledger != nil))
	p.publish("letters", showLetters(&p.sight, p.cfg.Payloads))
	p.publish("sessions", replicas(st, &p.sight, parts))
	p.announce()
}

// replicas are those that hold partitions or sessions.
func replicas(st *Status, seen *sight, parts []Partition) sessionsPart {
	out := sessionsPart{
		Server: seen.view.Server, Group: seen.view.Status.Group, Cluster: seen.view.Status.Cluster,
		Sessions: seen.view.Sessions,
	}
	byName := map[string]*replica{st.Writer: {Writer: st.Writer, Here: true}}
	of := func(writer string) *replica {
		if byName[writer] == nil {
			byName[writer] = &replica{Writer: writer}
		}
		return byName[writer]
	}
	for i := range parts {
		if owner := parts[i].Owner; owner != "" {
			of(owner).Partitions++
		}
	}
	for i := range seen.view.Sessions {
		of(seen.view.Sessions[i].Writer).Sessions++
	}
	for i := range seen.view.Status.Partitions {
		row := &seen.view.Status.Partitions[i]
		if r := byName[row.Writer]; r != nil && row.Observed != nil && (r.Seen == nil || row.Observed.After(*r.Seen)) {
			r.Seen = row.Observed
		}
	}
	for _, r := range byName {
		out.Replicas = append(out.Replicas, *r)
	}
	slices.SortFunc(out.Replicas, func(a, b replica) int { return strings.Compare(a.Writer, b.Writer) })
	return out
}
