package transform

import (
	"slices"

	"github.com/sinkd/sinkd"
)

const (
	// copyHeader begins a binary COPY stream: signature, flags, extension.
	copyHeader = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	// copyTrailer ends it.
	copyTrailer = "\xff\xff"
	// maxGroups bounds the groups that are kept for later batches.
	maxGroups = 64
)

// target is a table that rows go to, from however many topics.
type target struct {
	table *sinkd.Table
	// groups are those that batches had so far.
	groups []*group
}

// group is the rows of a batch that fill the same columns of a table: COPY
// knows no DEFAULT for a single row, so rows that leave a column with a default
// out make a stream of their own.
type group struct {
	table *sinkd.Table
	// lacks has a bit for each of the plan's columns that the rows leave out.
	lacks set
	// columns are the names of those that they fill.
	columns []string
	// buf and row are the stream as far as it is; buf is nil where the batch in
	// work has no row of the group.
	buf []byte
	row []sinkd.RowRef
}

// set is a set of small numbers.
type set []uint64

func newSet(n int) set         { return make(set, (n+63)/64) }
func (s set) has(n int) bool   { return s[n>>6]>>(n&63)&1 != 0 }
func (s set) add(n int)        { s[n>>6] |= 1 << (n & 63) }
func (s set) equal(t set) bool { return slices.Equal(s, t) }

// target gives the target of a table, shared by all topics that go there.
func (e *Encoder) target(t *sinkd.Table) *target {
	for _, known := range e.targets {
		k := known.table
		if k.OID == t.OID && k.Schema == t.Schema && k.Name == t.Name && slices.Equal(k.Columns, t.Columns) {
			return known
		}
	}
	e.targets = append(e.targets, &target{table: t})
	return e.targets[len(e.targets)-1]
}

// group gives the group of the record that the plan has read, open for a row.
func (e *Encoder) group(p *plan) *group {
	g := p.group
	if len(p.optional) > 0 {
		clear(p.lacks)
		for _, n := range p.optional {
			if p.cells[p.columns[n].cell].Kind == Absent {
				p.lacks.add(n)
			}
		}
	}
	if g == nil || !g.lacks.equal(p.lacks) {
		g = p.target.group(p)
		p.group = g
	}
	if g.buf == nil {
		g.buf, g.row = e.spares.get()
		g.buf = append(g.buf, copyHeader...)
		e.open = append(e.open, g)
	}
	return g
}

// maxReserve bounds what a stream is given beforehand.
const maxReserve = 16 << 20

// reserve makes room for the rest of the batch after the first row, of size
// bytes: a stream that grows by and by is copied five times over. Only for the
// first stream of a batch, which mostly is the only one.
func (e *Encoder) reserve(g *group, size int) {
	if len(e.open) > 1 {
		return
	}
	g.buf = slices.Grow(g.buf, min(e.left*(size+size/8), maxReserve))
	g.row = slices.Grow(g.row, e.left)
}

// group finds or makes the group of the plan's lacking columns.
func (t *target) group(p *plan) *group {
	for _, g := range t.groups {
		if g.lacks.equal(p.lacks) {
			return g
		}
	}
	g := &group{table: t.table, lacks: slices.Clone(p.lacks)}
	for n := range p.columns {
		if !g.lacks.has(n) {
			g.columns = append(g.columns, p.columns[n].name)
		}
	}
	t.groups = append(t.groups, g)
	return g
}

// close ends the group's stream and hands it to the batch.
func (e *Encoder) close(b *sinkd.Batch, g *group) {
	rows := sinkd.Rows{Table: g.table, Columns: g.columns, Buf: append(g.buf, copyTrailer...), Row: g.row}
	g.buf, g.row = nil, nil
	if len(rows.Row) == 0 {
		e.spares.put(&rows)
		return
	}
	b.Rows = append(b.Rows, rows)
}

// forget drops the groups where data made too many of them to keep.
func (e *Encoder) forget() {
	for _, p := range e.plans {
		if len(p.target.groups) > maxGroups {
			p.group = nil
		}
	}
	for _, t := range e.targets {
		if len(t.groups) > maxGroups {
			t.groups = nil
		}
	}
}
