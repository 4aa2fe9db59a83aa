package transform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sinkd/sinkd"
)

// proposer collects what the records of a sample say.
type proposer struct {
	route      *sinkd.Route
	candidates []candidate
	guesses    map[string]*guess
	// order are the names of the fields as they were first met.
	order []string
	// reasons count what makes records bad.
	reasons map[string]int
	keys    keyGuess
	out     sinkd.Proposal
}

// Infer proposes a table for the records of a topic: a column for each field of
// their values, of the most telling type that takes them all, with what is not
// sure about it. Where the route's mode has a key, a key is proposed that fits
// it. A proposal without columns is one of records without fields.
func Infer(r *sinkd.Route, records []*sinkd.Record) *sinkd.Proposal {
	p := &proposer{
		route: r, candidates: candidates(r), guesses: make(map[string]*guess), reasons: make(map[string]int),
	}
	p.out.Key, p.out.Columns, p.out.Notes = []string{}, []sinkd.ProposedColumn{}, []string{}
	for _, rec := range records {
		p.record(rec)
	}
	p.columns()
	if len(r.Columns) > 0 {
		p.note("SINKD_COLUMNS is not looked at: the columns that it names are to be added")
	}
	p.key()
	for _, reason := range slices.Sorted(maps.Keys(p.reasons)) {
		p.note("%d records fit no table: %s", p.reasons[reason], reason)
	}
	return &p.out
}

func (p *proposer) note(format string, args ...any) {
	p.out.Notes = append(p.out.Notes, fmt.Sprintf(format, args...))
}

// record takes one record into account, unless no table would take it.
func (p *proposer) record(rec *sinkd.Record) {
	if rec.Value == nil {
		p.out.Tombstones++
		return
	}
	fields, err := fieldsOf(rec.Value)
	if err != nil {
		p.bad(undecodable(rec, err).Reason)
		return
	}
	for i := range fields {
		if f := &fields[i]; f.value.Kind != Null && !p.fits(f) {
			p.bad("a value with an escaped NUL, or a number beyond numeric")
			return
		}
	}
	p.out.Records++
	key := p.keys.note(rec.Key)
	for i := range fields {
		f := &fields[i]
		g := p.guesses[f.name]
		if g == nil {
			g = newGuess(f.name, len(p.candidates))
			p.guesses[f.name] = g
			p.order = append(p.order, f.name)
		}
		g.seen++
		if f.value.Kind == Null {
			g.nulls++
			continue
		}
		g.note(f, p.candidates)
		if key != "" && key == scalarText(f) {
			g.isKey++
		}
	}
}

func (p *proposer) bad(reason string) {
	p.out.Bad++
	p.reasons[reason]++
}

// fits tells whether any type takes the value.
func (p *proposer) fits(f *field) bool {
	return slices.ContainsFunc(p.candidates, func(c candidate) bool { return c.takes(f) })
}

// columns makes a column of each field that can have one.
func (p *proposer) columns() {
	for _, name := range p.order {
		g := p.guesses[name]
		switch _, taken := coordinates[name]; {
		case taken:
			p.note("field %s is left out: a column of that name takes the record's coordinates", name)
		case !canBeColumn(name):
			p.note("field %s is left out: a column cannot have that name; SINKD_COLUMNS maps it to another", printable(name))
		case len(p.out.Columns) == maxColumns:
			p.note("field %s is left out: a table has at most %d columns", printable(name), maxColumns)
		default:
			p.out.Columns = append(p.out.Columns, g.column(p.candidates, p.out.Records))
		}
	}
	if p.out.Records < enough && len(p.out.Columns) > 0 {
		p.note("%d records are few to tell types and NOT NULL by", p.out.Records)
	}
}

// enough is how many records say something about a topic.
const enough = 100

// printable gives a name for comments, which end with their line.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}, shortened(name))
}
