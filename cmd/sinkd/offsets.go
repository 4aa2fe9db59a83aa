package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
)

// offsetsCommand shows and changes positions.
type offsetsCommand struct {
	List  offsetsList  `cmd:"" help:"List the positions."`
	Set   offsetsSet   `cmd:"" help:"Set positions, also while the pipeline runs."`
	Adopt offsetsAdopt `cmd:"" help:"Give the pipeline to the consumer group of SINKD_KAFKA_GROUP."`
}

// offsetsList is offsets list.
type offsetsList struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Help shows an example.
func (offsetsList) Help() string {
	return "Needs SINKD_DATABASE_URL and SINKD_PIPELINE only. END and BEHIND are as the processes saw them last.\n\nExample:\n\n    sinkd offsets list --json"
}

// Run prints the positions.
func (l *offsetsList) Run(p *program) error {
	c, err := p.books(config.Database)
	if err != nil {
		return err
	}
	st, err := readStatus(p.ctx, c)
	if err != nil {
		return err
	}
	if l.JSON {
		if st.Partitions == nil {
			st.Partitions = []store.PartitionStatus{}
		}
		return printJSON(p.stdout, st.Partitions)
	}
	return printOffsets(p.stdout, st)
}

func printOffsets(w io.Writer, st *store.Status) error {
	if len(st.Partitions) == 0 {
		_, _ = fmt.Fprintln(w, "pipeline "+st.Pipeline+" has no positions yet")
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "PARTITION\tPOSITION\tLOG START\tEND\tBEHIND\tGENERATION\tSTATE\tLAST COMMIT")
	for i := range st.Partitions {
		at := &st.Partitions[i]
		state := partitionState(at)
		if st.Paused && at.Halted == "" {
			state = "paused"
		}
		_, _ = fmt.Fprintf(table, "%s[%d]\t%d\t%s\t%s\t%s\t%d\t%s\t%s\n", at.Topic, at.Partition, at.Next, number(at.LogStart),
			number(at.End), number(at.Lag), at.Generation, state, commitAge(st, at))
	}
	return table.Flush()
}

// offsetsAdopt is offsets adopt.
type offsetsAdopt struct{ why }

// Help shows an example.
func (offsetsAdopt) Help() string {
	return "The pipeline is tied to the consumer group of its first start. This ties it to the one that is configured now; the positions stay as they are. End the processes of the old group before: the two would take the partitions from each other.\n\nExample:\n\n    SINKD_KAFKA_GROUP=orders-sink sinkd offsets adopt --reason 'group renamed'"
}

// Run adopts the pipeline.
func (a *offsetsAdopt) Run(p *program) error {
	c, s, err := p.openBooks(config.Database)
	if err != nil {
		return err
	}
	defer closeStore(s)
	ctx, cancel := within(p.ctx)
	defer cancel()
	was, err := s.Adopt(ctx, a.operator())
	switch {
	case err != nil:
		return operated(c, err)
	case was == c.KafkaGroup:
		p.printf("pipeline %s belongs to the consumer group %s already\n", c.Pipeline, was)
	default:
		p.printf("pipeline %s belongs to the consumer group %s now, in place of %s\n", c.Pipeline, c.KafkaGroup, was)
	}
	return nil
}

// errNoTopics tells that there is nothing whose positions could be set.
var errNoTopics = errors.New("no topic of the pipeline exists")
