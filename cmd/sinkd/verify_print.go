package main

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"text/tabwriter"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// print prints the report for people.
func (r *verified) print(w io.Writer) error {
	if err := printLedger(w, r.Ledger); err != nil {
		return err
	}
	for _, c := range r.Tables {
		printCompared(w, c)
	}
	_, _ = fmt.Fprintln(w, "\n"+r.verdict())
	return nil
}

// verdict says in one line what is proved.
func (r *verified) verdict() string {
	var lost, doubled, changed, unexpected, records, reasons int64
	for _, c := range r.Tables {
		lost, doubled, changed, unexpected = lost+c.Lost, doubled+c.Doubled, changed+c.Changed, unexpected+c.Unexpected
		records, reasons = records+c.Records, reasons+int64(len(c.Unproved))
	}
	var said []string
	if r.Deep {
		said = append(said, fmt.Sprintf("%s compared, %d lost, %d doubled, %d changed, %d unexpected",
			counted(records, "record"), lost, doubled, changed, unexpected))
	}
	if n := int64(len(r.Ledger.Flaws)) + r.Ledger.More; n > 0 {
		said = append(said, counted(n, "flaw")+" of the ledger")
	}
	if reasons > 0 {
		said = append(said, "not proved for "+counted(reasons, "reason"))
	}
	switch {
	case !r.Whole:
		return strings.Join(said, "; ")
	case r.Deep:
		return "proved: " + said[0] + "; the ledger is contiguous and its counts add up"
	}
	return "proved: the ranges of the ledger are contiguous and disjoint up to the positions, and their counts add up"
}

// printCompared prints what a comparison found.
func printCompared(w io.Writer, c *store.Compared) {
	_, _ = fmt.Fprintf(w, "\ntable %s, topic %s", c.Table, strings.Join(c.Topics, ", "))
	if c.By != "" {
		_, _ = fmt.Fprintf(w, ": %s compared by %s", counted(c.Records, "record"), c.By)
	}
	_, _ = fmt.Fprintln(w)
	for i := range c.Differences {
		d := &c.Differences[i]
		at := d.Topic
		if d.Offset >= 0 {
			at = fmt.Sprintf("%s offset %d", sinkd.Partition{Topic: d.Topic, ID: d.Partition}, d.Offset)
		}
		_, _ = fmt.Fprintf(w, "%-12s  %s%s\n", d.Kind, at, about(d))
	}
	if more := c.Lost + c.Doubled + c.Changed + c.Unexpected - int64(len(c.Differences)); len(c.Differences) == store.MaxDifferences && more > 0 {
		_, _ = fmt.Fprintf(w, "and %d more\n", more)
	}
	for _, u := range c.Unproved {
		records := ""
		if u.Records > 0 {
			records = fmt.Sprintf(" (%d)", u.Records)
		}
		_, _ = fmt.Fprintf(w, "%-12s  %s%s\n", "not proved", u.Reason, records)
	}
	if c.Discarded > 0 {
		_, _ = fmt.Fprintf(w, "%-12s  %s without a row, as many as dead letters were discarded\n", "note", counted(c.Discarded, "record"))
	}
	if c.Others > 0 {
		_, _ = fmt.Fprintf(w, "%-12s  %s whose key no record has\n", "note", counted(c.Others, "row"))
	}
}

// about says more of a difference.
func about(d *store.Difference) string {
	text := ""
	if d.Kind == "doubled" {
		text = ": " + counted(d.Rows, "row")
	}
	if len(d.Columns) > 0 {
		text += ": " + strings.Join(d.Columns, ", ")
	}
	if d.Detail != "" {
		text += ": " + d.Detail
	}
	return text
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

// progress is how far a comparison is.
type progress struct {
	done, total atomic.Int64
}

func newProgress(l *store.Ledger) *progress {
	p := &progress{}
	p.expect(l)
	return p
}

// expect counts offsets that are to be compared.
func (p *progress) expect(l *store.Ledger) {
	for i := range l.Partitions {
		p.total.Add(l.Partitions[i].Position - max(l.Partitions[i].Start, 0))
	}
}

// add counts offsets that were compared.
func (p *progress) add(offsets int64) { p.done.Add(offsets) }

// text says how far it is.
func (p *progress) text() string {
	return fmt.Sprintf("compared %d of %d offsets", p.done.Load(), p.total.Load())
}
