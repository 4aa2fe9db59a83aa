package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
)

// verifyCommand proves that each record took effect once.
type verifyCommand struct {
	Deep  bool   `help:"Read Kafka again, and compare its records with the tables."`
	Topic string `help:"Only this topic." placeholder:"T"`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Help shows an example.
func (verifyCommand) Help() string {
	return "Proves from the ledger that the ranges of each partition follow each other without gap or overlap up to the position, and that the counts add up. With --deep the records are read again from Kafka, beside the consumer group, and compared with the tables: lost, doubled and changed ones are listed by their coordinates. It changes nothing, and run may go on meanwhile. The exit code is 0 only where the proof is whole.\n\nExample:\n\n    sinkd verify --deep --topic orders"
}

// verified is what verify prints as JSON.
type verified struct {
	Pipeline string `json:"pipeline"`
	// Whole tells that all was proved that was asked for.
	Whole  bool          `json:"whole"`
	Ledger *store.Ledger `json:"ledger"`
}

// Run proves what there is to prove, and prints it.
func (v *verifyCommand) Run(p *program) error {
	need := config.Database
	if v.Deep {
		need = config.Flow
	}
	c, err := p.books(need)
	if err != nil {
		return err
	}
	s, err := openStore(c)
	if err != nil {
		return err
	}
	defer closeStore(s)
	out := &verified{Pipeline: c.Pipeline}
	if out.Ledger, err = v.ledger(p.ctx, s); err != nil {
		return err
	}
	out.Whole = len(out.Ledger.Flaws) == 0
	if v.JSON {
		err = printJSON(p.stdout, out)
	} else {
		err = out.print(p.stdout)
	}
	if err == nil && !out.Whole {
		err = errFound
	}
	return err
}

// closeStore ends the sessions of a command.
func closeStore(s *store.Store) {
	ctx, cancel := context.WithTimeout(context.Background(), parting)
	defer cancel()
	s.Close(ctx)
}

// ledger asks the ledger. A pipeline without positions has nothing to prove,
// which is no proof.
func (v *verifyCommand) ledger(ctx context.Context, s *store.Store) (*store.Ledger, error) {
	moment, err := s.Verify(ctx)
	if err != nil {
		return nil, database(err)
	}
	defer moment.Close()
	l, err := moment.Ledger(ctx, v.Topic)
	switch {
	case err != nil:
		return nil, database(err)
	case len(l.Partitions) > 0 || len(l.Flaws) > 0:
		return l, nil
	case v.Topic != "":
		return nil, hinted{errRefused, "the pipeline has no positions of topic " + v.Topic, "sinkd status lists what it reads"}
	}
	return nil, hinted{errRefused, "the pipeline has no positions yet, so there is nothing to prove", "start sinkd run, or mend SINKD_PIPELINE"}
}

// print prints the report for people.
func (r *verified) print(w io.Writer) error {
	if err := printLedger(w, r.Ledger); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(w, "\n"+r.verdict())
	return nil
}

// verdict says in one line what is proved.
func (r *verified) verdict() string {
	if n := int64(len(r.Ledger.Flaws)) + r.Ledger.More; n > 0 {
		return counted(n, "flaw") + " of the ledger"
	}
	return "proved: the ranges of the ledger are contiguous and disjoint up to the positions, and their counts add up"
}

// printLedger prints a line for each partition, and one for each flaw.
func printLedger(w io.Writer, l *store.Ledger) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "PARTITION\tFROM\tPOSITION\tRANGES\tRECORDS\tROWS\tSKIPPED\tDEAD\t")
	for i := range l.Partitions {
		p := &l.Partitions[i]
		start := number(&p.Start)
		if p.Start < 0 {
			start = "?"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", sinkd.Partition{Topic: p.Topic, ID: p.Partition},
			start, p.Position, p.Ranges, p.Records, p.Rows, p.Skipped, p.Dead, ledgerNote(p))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for i := range l.Flaws {
		f := &l.Flaws[i]
		_, _ = fmt.Fprintf(w, "%-12s  %s offsets %d to %d: %s\n", f.Kind, sinkd.Partition{Topic: f.Topic, ID: f.Partition}, f.From, f.Until, f.Detail)
	}
	if l.More > 0 {
		_, _ = fmt.Fprintf(w, "and %d more\n", l.More)
	}
	return nil
}

// ledgerNote says what people should know of a partition that has no flaw.
func ledgerNote(p *store.PartitionLedger) string {
	var text string
	if p.Generation > 1 {
		text += fmt.Sprintf("generation %d; ", p.Generation)
	}
	if p.Lost > 0 {
		text += counted(p.Lost, "offset") + " that Kafka had lost passed over; "
	}
	if p.Discarded > 0 {
		text += counted(p.Discarded, "dead letter") + " discarded by an operator; "
	}
	return text
}
