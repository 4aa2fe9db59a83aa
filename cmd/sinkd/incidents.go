package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
)

// incidentsCommand lists and acknowledges incidents.
type incidentsCommand struct {
	List incidentsList `cmd:"" help:"List the open incidents; 1 if there are any."`
	Ack  incidentsAck  `cmd:"" help:"Acknowledge an incident, and say how to go on."`
}

// incidentsList is incidents list.
type incidentsList struct {
	JSON bool `name:"json" help:"Print JSON."`
	All  bool `help:"The acknowledged ones as well."`
}

// Help shows an example.
func (incidentsList) Help() string { return "Example:\n\n    sinkd incidents list --json" }

// Run prints the incidents.
func (l *incidentsList) Run(p *program) error {
	_, s, err := p.openBooks(config.Database)
	if err != nil {
		return err
	}
	defer closeStore(s)
	ctx, cancel := within(p.ctx)
	defer cancel()
	incidents, err := s.Incidents(ctx, l.All)
	if err != nil {
		return database(err)
	}
	if l.JSON {
		err = printJSON(p.stdout, incidents)
	} else {
		err = printIncidents(p.stdout, incidents)
	}
	for i := range incidents {
		if incidents[i].Acked == nil {
			return errors.Join(err, errFound)
		}
	}
	return err
}

func printIncidents(w io.Writer, incidents []store.IncidentRow) error {
	if len(incidents) == 0 {
		_, _ = fmt.Fprintln(w, "no open incidents")
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tOPENED\tWHERE\tKIND\tDETAIL")
	for i := range incidents {
		row := &incidents[i]
		detail := row.Detail
		if row.Acked != nil {
			detail += " (acknowledged by " + row.AckedBy + " at " + row.Acked.Format(time.RFC3339) + ")"
		}
		_, _ = fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\n", row.ID, row.Opened.Format(time.RFC3339), place(row), row.Kind, oneLine(detail))
	}
	return table.Flush()
}

// place names what the incident is about.
func place(i *store.IncidentRow) string {
	switch {
	case i.Topic == "":
		return "pipeline"
	case i.Partition < 0:
		return i.Topic
	}
	return sinkd.Partition{Topic: i.Topic, ID: i.Partition}.String()
}

// incidentsAck is incidents ack.
type incidentsAck struct {
	ID         int64  `arg:"" help:"Number of the incident, from incidents list."`
	Retry      bool   `help:"Try again what the incident halted or paused."`
	ResumeFrom string `help:"Go on from there: stored, earliest, latest or an RFC 3339 time. Implies --retry." placeholder:"WHERE"`
	Reason     string `help:"Why, for the record." placeholder:"TEXT"`
	Yes        bool   `help:"Move positions without asking; it is asked on a terminal only."`
}

// Help shows an example.
func (incidentsAck) Help() string {
	return "Without --retry and --resume-from the incident is closed, and what it halted stays halted.\n\nExample:\n\n    sinkd incidents ack 7 --retry --reason 'granted INSERT on sales.orders'"
}

// Run acknowledges the incident.
func (a *incidentsAck) Run(p *program) error {
	need := config.Database
	if a.ResumeFrom != "" {
		need = config.Flow
	}
	c, s, err := p.openBooks(need)
	if err != nil {
		return err
	}
	defer closeStore(s)
	ack := store.Ack{ID: a.ID, Retry: a.Retry, Operator: operator(), Reason: a.Reason}
	if a.ResumeFrom != "" {
		if err := a.plan(p, &resumption{cfg: c, store: s}, &ack); err != nil {
			return err
		}
	}
	ctx, cancel := within(p.ctx)
	defer cancel()
	err = s.AckIncident(ctx, ack)
	if errors.Is(err, store.ErrNoIncident) {
		return notOpen(a.ID)
	}
	if err != nil {
		return database(err)
	}
	p.printf("incident %d is acknowledged\n", a.ID)
	return nil
}

func notOpen(id int64) error {
	return hinted{store.ErrNoIncident, "incident " + strconv.FormatInt(id, 10), "sinkd incidents list shows the open ones"}
}

// plan finds the positions to go on from, and lets a person agree to them. Where
// nobody can be asked, --resume-from was said on purpose.
func (a *incidentsAck) plan(p *program, r *resumption, ack *store.Ack) error {
	ctx, cancel := within(p.ctx)
	defer cancel()
	if err := a.resume(ctx, r, ack); err != nil || ack.Resume == nil {
		return err
	}
	err := p.confirm(a.Yes || !isTerminal(os.Stdin),
		fmt.Sprintf("incidents ack moves what incident %d has halted to %s", a.ID, a.ResumeFrom))
	if errors.As(err, new(usageError)) { // a terminal at which nobody is
		return nil
	}
	return err
}

// resumption is what it takes to find the positions to go on from.
type resumption struct {
	cfg   *config.Config
	store *store.Store
}

// resume finds what --resume-from stands for: the positions, and, of a topic
// that was made anew, what it is now.
func (a *incidentsAck) resume(ctx context.Context, r *resumption, ack *store.Ack) error {
	i, err := r.incident(ctx, a.ID)
	if err != nil {
		return err
	}
	switch {
	case i.Topic == "":
		return usageError{hinted{errRefused, "the incident is about the whole pipeline", "write --retry in place of --resume-from"}}
	case a.ResumeFrom == "stored" && i.Kind != sinkd.TopicRecreated:
		ack.Retry = true // The position is the stored one, as it stands.
		return nil
	}
	var from config.Start
	if a.ResumeFrom != "stored" {
		if err := from.UnmarshalText([]byte(a.ResumeFrom)); err != nil {
			return usageError{hinted{err, "--resume-from", "or write stored"}}
		}
	}
	topic, starts, err := stream.Starts(ctx, kafka(r.cfg), i.Topic, stream.Start(from))
	if err != nil {
		return unreachableKafka(r.cfg, err)
	}
	ack.Resume = make(map[int32]int64, len(starts))
	for id, offset := range starts {
		ack.Resume[int32(id)] = offset
	}
	if i.Kind == sinkd.TopicRecreated {
		ack.Topic = &topic
	}
	if a.ResumeFrom == "stored" {
		return r.stored(ctx, i.Topic, ack)
	}
	return nil
}

// stored goes on from the positions that are stored for the topic.
func (r *resumption) stored(ctx context.Context, topic string, ack *store.Ack) error {
	positions, err := r.store.Positions(ctx)
	for _, p := range positions {
		if p.Topic == topic {
			ack.Resume[p.ID] = p.Next
		}
	}
	return database(err)
}

// incident gives the open incident of that number.
func (r *resumption) incident(ctx context.Context, id int64) (*store.IncidentRow, error) {
	incidents, err := r.store.Incidents(ctx, false)
	if err != nil {
		return nil, database(err)
	}
	for i := range incidents {
		if incidents[i].ID == id {
			return &incidents[i], nil
		}
	}
	return nil, notOpen(id)
}
