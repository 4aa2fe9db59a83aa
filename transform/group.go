package transform

import (
	"slices"
	"unsafe"

	"github.com/sinkd/sinkd"
)

const (
	// maxGroups bounds the groups that are kept for later batches.
	maxGroups = 64
	// firstBuffer is what a stream begins with where no spare serves: there may
	// be one for nearly every record.
	firstBuffer = 512
)

// group is the rows of a batch that fill the same columns of a table: COPY
// knows no DEFAULT for a single row, so rows that leave a column with a default
// out make a stream of their own.
type group struct {
	op sinkd.Op
	// number is the group's index in its target.
	number int32
	// lacks has a bit for each of the plan's columns that the rows leave out.
	lacks set
	// columns are the names of those that they fill.
	columns []string
	// text tells which of them are given in their text form, nil if none is.
	text []bool
	// buf and row are the stream as far as it is; buf is nil where the batch in
	// work has no row of the group.
	buf []byte
	row []sinkd.RowRef
	// size is what the stream had in the last batch.
	size int
	// dead counts the rows that later ones superseded; their Range is gone.
	dead int
	// repeated are the rows of the arranged stream that stand for several records.
	repeated []int32
}

// superseded is the Range of a row that leaves the stream.
const superseded = -1

// newGroup makes a group of the plan's columns but those that it lacks.
func newGroup(op sinkd.Op, columns []column, lacks set) *group {
	g := &group{op: op, lacks: slices.Clone(lacks)}
	for n := range columns {
		if !g.lacks.has(n) {
			g.columns = append(g.columns, columns[n].name)
			g.text = append(g.text, columns[n].text)
		}
	}
	if !slices.Contains(g.text, true) {
		g.text = nil
	}
	return g
}

// tuple gives the bytes of a row.
func (g *group) tuple(row int32) []byte {
	end := len(g.buf)
	if next := int(row) + 1; next < len(g.row) {
		end = g.row[next].Start
	}
	return g.buf[g.row[row].Start:end]
}

// kill takes a row out of the stream.
func (g *group) kill(row int32) {
	g.row[row].Range = superseded
	g.dead++
}

// set is a set of small numbers.
type set []uint64

func newSet(n int) set         { return make(set, (n+63)/64) }
func (s set) has(n int) bool   { return s[n>>6]>>(n&63)&1 != 0 }
func (s set) add(n int)        { s[n>>6] |= 1 << (n & 63) }
func (s set) equal(t set) bool { return slices.Equal(s, t) }

// key views the set as a string, for maps.
func (s set) key() string {
	return unsafe.String((*byte)(unsafe.Pointer(unsafe.SliceData(s))), 8*len(s))
}

// within tells whether t has all that s has.
func (s set) within(t set) bool {
	for i := range s {
		if s[i]&^t[i] != 0 {
			return false
		}
	}
	return true
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
		g = p.target.group(p.lacks)
		p.group = g
	}
	e.openGroup(p.target, g)
	return g
}

// openGroup gives the group buffers, where it has none.
func (e *Encoder) openGroup(t *target, g *group) {
	if g.buf != nil {
		return
	}
	if g.buf, g.row = e.spares.get(g.size); g.buf == nil {
		g.buf = make([]byte, 0, max(g.size, firstBuffer))
	}
	g.buf = append(g.buf, sinkd.CopyHeader...)
	if g.op == sinkd.Write {
		t.open = append(t.open, g)
	}
	if !t.used {
		t.used = true
		e.open = append(e.open, t)
	}
}

// add makes what the group has from start on a row.
func (e *Encoder) add(g *group, start int) {
	g.row = append(g.row, sinkd.RowRef{Start: start, Range: e.at.Range, Index: e.at.Index})
	if len(g.row) == reserveAt {
		e.reserve(g)
	}
}

// maxReserve bounds what a stream is given beforehand.
const maxReserve = 16 << 20

// reserveAt is the number of rows by which a stream shows its share of the
// batch.
const reserveAt = 64

// reserve makes room for the rest of the batch once the group has shown its
// share of it: a stream that grows by and by is copied five times over.
func (e *Encoder) reserve(g *group) {
	rows := e.left * reserveAt / e.done
	size := min(rows*(len(g.buf)/reserveAt), maxReserve)
	if cap(g.buf)-len(g.buf) < size {
		g.buf = slices.Grow(g.buf, size+size/8)
	}
	g.row = slices.Grow(g.row, rows)
}

// closeTarget hands the target's streams to the batch: first those that take
// away.
func (e *Encoder) closeTarget(b *sinkd.Batch, t *target) {
	if t.gone != nil {
		e.close(b, t, t.gone)
	}
	for _, g := range t.open {
		e.close(b, t, g)
	}
	t.reset()
	t.inexact = false
}

// close ends the group's stream and hands it to the batch.
func (e *Encoder) close(b *sinkd.Batch, t *target, g *group) {
	g.size = len(g.buf) + len(sinkd.CopyTrailer)
	if t.folds() && len(g.row) > 0 {
		e.arrange(t, g)
	}
	rows := sinkd.Rows{
		Table: t.table, Route: t.route, Op: g.op, Columns: g.columns, Text: g.text,
		Unfolded: t.keys > 0 && !t.folds(), Repeated: g.repeated, Buf: g.buf, Row: g.row,
	}
	g.buf, g.row, g.dead, g.repeated = nil, nil, 0, nil
	if len(rows.Row) == 0 {
		e.spares.put(&rows)
		return
	}
	rows.Buf = append(rows.Buf, sinkd.CopyTrailer...)
	b.Rows = append(b.Rows, rows)
}

// abandon takes back what the open groups hold.
func (e *Encoder) abandon() {
	for _, t := range e.open {
		if t.gone != nil {
			e.drop(t.gone)
		}
		for _, g := range t.open {
			e.drop(g)
		}
		t.reset()
	}
	e.open = e.open[:0]
}

func (e *Encoder) drop(g *group) {
	e.spares.put(&sinkd.Rows{Buf: g.buf, Row: g.row})
	g.buf, g.row, g.dead = nil, nil, 0
}

// reset makes the target ready for the next batch.
func (t *target) reset() {
	t.open, t.used = t.open[:0], false
	t.fold.reset()
}

// forget drops the groups where data made too many of them to keep.
func (e *Encoder) forget() {
	for _, p := range e.plans {
		if len(p.target.groups) > maxGroups {
			p.group = nil
		}
	}
	for _, t := range e.targets {
		t.forget()
	}
}
