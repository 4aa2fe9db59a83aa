package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
)

// firstRow is a row as its table would have it.
type firstRow struct {
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Op        string `json:"op"`
	// Values are in PostgreSQL's text form, cut where they are long.
	Values map[string]*string `json:"values"`

	columns []string
}

// badOne is a record that would become a dead letter.
type badOne struct {
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Stage     string `json:"stage"`
	Reason    string `json:"reason"`
	SQLState  string `json:"sqlstate,omitempty"`
}

// compare orders records by partition and offset.
func compare(a, b *sinkd.Record) int {
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

// show keeps rows for printing.
func (t *trial) show(rows []store.Preview) {
	ops := [...]string{sinkd.Write: "write", sinkd.Delete: "delete", sinkd.Mark: "mark"}
	for i := range rows {
		r := &rows[i]
		row := firstRow{
			Partition: r.Record.Partition, Offset: r.Record.Offset, Op: ops[r.Op],
			Values: make(map[string]*string, len(r.Columns)), columns: r.Columns,
		}
		for n, name := range r.Columns {
			row.Values[name] = shortened(r.Values[n])
		}
		t.First = append(t.First, row)
	}
}

// maxShown is how many characters of a value are shown.
const maxShown = 60

// shortened cuts a value that is long.
func shortened(v *string) *string {
	if v == nil || utf8.RuneCountInString(*v) <= maxShown {
		return v
	}
	text := string([]rune(*v)[:maxShown]) + "..."
	return &text
}

// print prints what became of all batches; errFound where one could not land.
func (d *dryRunCommand) print(p *program, trials []trial) (err error) {
	if d.JSON {
		err = printJSON(p.stdout, trials)
	} else {
		for i := range trials {
			trials[i].print(p)
		}
	}
	if err == nil && slices.ContainsFunc(trials, func(t trial) bool { return t.err != nil }) {
		err = errFound
	}
	return err
}

// print prints what became of one batch.
func (t *trial) print(p *program) {
	p.printf("%s\n", t.Route)
	for _, note := range t.Notes {
		p.printf("  note  %s\n", note)
	}
	if t.err != nil {
		p.printf("  FAIL  topic %s: %s\n", t.Topic, t.Error)
		if t.Fix != "" {
			p.printf("        fix: %s\n", oneLine(t.Fix))
		}
		return
	}
	if t.Records == 0 {
		p.printf("  topic %s holds no records from the position on\n", t.Topic)
		return
	}
	p.printf("  %s from %s: %s, %d skipped, %s; taken back\n", counted(t.Records, "record"), places(t.From),
		counted(t.Written, "row"), t.Skipped, counted(t.Dead, "dead letter"))
	if len(t.Columns) > 0 {
		p.printf("  run would add columns, which the rows here go without: %s\n", strings.Join(t.Columns, ", "))
	}
	for i := range t.First {
		p.printf("  %s[%d]@%d  %s\n", t.Topic, t.First[i].Partition, t.First[i].Offset, t.First[i].text())
	}
	for i := range t.Bad {
		b := &t.Bad[i]
		reason := b.Reason
		if b.SQLState != "" {
			reason += " (SQLSTATE " + b.SQLState + ")"
		}
		p.printf("  bad  %s[%d]@%d  %s: %s\n", t.Topic, b.Partition, b.Offset, b.Stage, reason)
	}
}

// warn notes what run does about bad records that a dry run passes over.
func (t *trial) warn(c *config.Config) {
	switch limit := c.DeadLetterLimit.Count; {
	case t.Dead == 0:
	case c.OnBadRecord == "stop":
		t.Notes = append(t.Notes, "run would stop at the first bad record: SINKD_ON_BAD_RECORD=stop")
	case limit > 0 && t.Dead > limit:
		t.Notes = append(t.Notes, fmt.Sprintf("run would pause: %d dead letters are more than SINKD_DEAD_LETTER_LIMIT allows", t.Dead))
	}
}

// text gives the row on one line, its columns in the table's order.
func (r *firstRow) text() string {
	var parts []string
	if r.Op != "write" {
		parts = append(parts, r.Op)
	}
	for _, name := range r.columns {
		value := "NULL"
		if v := r.Values[name]; v != nil {
			value = strings.Map(func(c rune) rune {
				if c < ' ' || c == 0x7f {
					return '?'
				}
				return c
			}, *v)
		}
		parts = append(parts, fmt.Sprintf("%s=%s", name, value))
	}
	return strings.Join(parts, "  ")
}

// places names where reading began.
func places(from map[string]int64) string {
	var parts []string
	for _, p := range slices.Sorted(maps.Keys(from)) {
		parts = append(parts, fmt.Sprintf("%s@%d", p, from[p]))
	}
	return strings.Join(parts, ", ")
}
