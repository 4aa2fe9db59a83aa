package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/stream"
)

// groupStatus is the status of a pipeline whose positions are the consumer
// group's.
type groupStatus struct {
	State      string         `json:"state"`
	Sentence   string         `json:"sentence"`
	Pipeline   string         `json:"pipeline"`
	Delivery   string         `json:"delivery"`
	Cluster    string         `json:"cluster_id"`
	Group      string         `json:"kafka_group"`
	Members    int            `json:"members"`
	Partitions []groupLagging `json:"partitions"`
}

// groupLagging is one partition of a groupStatus. What the group has not
// committed is nil.
type groupLagging struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Next      *int64 `json:"next_offset"`
	LogStart  int64  `json:"log_start"`
	End       int64  `json:"end_offset"`
	Lag       *int64 `json:"lag_records"`
	Member    string `json:"member,omitempty"`
}

// group prints the status as the brokers know it. What is halted only the
// processes know.
func (s *statusCommand) group(p *program) error {
	c, err := p.load(config.Flow)
	if err != nil {
		return err
	}
	ctx, cancel := within(p.ctx)
	defer cancel()
	st, err := readGroup(ctx, c)
	if err != nil {
		return unreachableKafka(c, err)
	}
	if s.JSON {
		return printJSON(p.stdout, st)
	}
	return st.print(p.stdout)
}

// readGroup asks the brokers.
func readGroup(ctx context.Context, c *config.Config) (*groupStatus, error) {
	names, patterns := subscription(c.Routes)
	g, err := stream.Group(ctx, kafka(c), names, patterns)
	if err != nil {
		return nil, err
	}
	st := &groupStatus{
		State: "stopped", Pipeline: c.Pipeline, Delivery: c.Delivery,
		Cluster: g.Cluster, Group: g.Group, Members: g.Members,
	}
	var behind int64
	begun := false
	for _, p := range g.Partitions {
		row := groupLagging{Topic: p.Topic, Partition: p.ID, Next: p.Next, LogStart: p.LogStart, End: p.End, Member: p.Member}
		if p.Next != nil {
			lag := max(p.End-*p.Next, 0)
			behind += lag
			row.Lag, begun = &lag, true
		}
		st.Partitions = append(st.Partitions, row)
	}
	switch {
	case g.Members > 0:
		st.State = "running"
	case !begun:
		st.State = "new"
	}
	st.Sentence = fmt.Sprintf("pipeline %s: %s, idempotent, %s behind, by the offsets of consumer group %s; what is halted shows in the service's log and at its /api/status",
		st.Pipeline, st.State, counted(behind, "record"), st.Group)
	if st.State == "new" {
		st.Sentence = "pipeline " + st.Pipeline + ": consumer group " + st.Group + " has committed nothing yet"
	}
	return st, nil
}

// print prints the sentence, then a line for each partition.
func (s *groupStatus) print(w io.Writer) error {
	_, _ = fmt.Fprintln(w, s.Sentence)
	if len(s.Partitions) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "\nPARTITION\tPOSITION\tEND\tBEHIND\tMEMBER")
	for i := range s.Partitions {
		p := &s.Partitions[i]
		member := p.Member
		if member == "" {
			member = "-"
		}
		_, _ = fmt.Fprintf(table, "%s[%d]\t%s\t%d\t%s\t%s\n", p.Topic, p.Partition, number(p.Next), p.End, number(p.Lag), member)
	}
	return table.Flush()
}
