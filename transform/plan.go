package transform

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sinkd/sinkd"
)

// plan is what a topic's route and table come to: where each column's value
// comes from, and how it is encoded. It holds the memory of the record in
// work, so it belongs to one encoder.
type plan struct {
	target *target
	// landing tells that a tombstone is a row, too.
	landing bool
	// key reads the record's key, for the columns of the key that the value
	// lacks; nil where the mode has no key.
	key *keyReader
	// deleted is the column that a tombstone sets, in place of removing the
	// row.
	deleted deletedColumn
	// decoder reads the value; nil where no column needs that.
	decoder Decoder
	// strangers are the fields of the record in work that no column takes; nil
	// where they are ignored.
	strangers *strangers
	// cells hold the record in work.
	cells []Value
	// fields are the cells that fields of the value fill. Where demanding, one
	// of them has to.
	fields    []int
	demanding bool
	// whole is the cell that the whole value fills as JSON text, -1 for none.
	whole   int
	sources []source
	// memory is what the sources build their values in.
	memory []byte
	// columns are all of the table's that can be written: the key's, the
	// version, the others in the table's order.
	columns []column
	// optional are the columns that a row may leave out, lacks those of them
	// that the record in work does, group the group of the last record.
	optional []int
	lacks    set
	group    *group
}

// column is one column of the plan.
type column struct {
	name string
	// label names column and type, from the source of its value, for messages.
	label, from string
	cell        int
	// notNull tells that a row needs a value for the column, version that it
	// does because the column is the route's version.
	notNull, version bool
	put              appendFunc
	verbatim         verbatim
	// text tells that put gives the text form, for Postgres to parse.
	text bool
}

// errNoMatch is a record that says nothing about the table.
var errNoMatch = errors.New("none of the value's fields matches a column")

// read fills the cells from the record.
func (p *plan) read(rec *sinkd.Record) error {
	cells := p.cells
	for i := range cells {
		cells[i].Kind = Absent // the rest is not read then, and clearing pointers costs
	}
	p.memory = emptied(p.memory)
	if p.deleted.set {
		p.cells[p.deleted.cell] = p.deleted.alive
	}
	for i := range p.sources {
		if err := p.fill(&p.sources[i], rec); err != nil {
			return err
		}
	}
	if rec.Value == nil {
		if p.whole >= 0 {
			p.cells[p.whole].Kind = Null
		}
		return nil
	}
	if p.decoder == nil {
		return nil
	}
	if p.strangers != nil {
		p.strangers.fields = p.strangers.fields[:0]
	}
	if err := p.decoder.Decode(p.cells, rec.Value); err != nil {
		return err
	}
	if p.demanding && !p.matched() && !p.growing() {
		return errNoMatch
	}
	return nil
}

// matched tells whether the record has any field that the table has.
func (p *plan) matched() bool {
	for _, n := range p.fields {
		if p.cells[n].Kind != Absent {
			return true
		}
	}
	return false
}

// growing tells whether the record has fields that columns are to be added for.
func (p *plan) growing() bool { return p.strangers != nil && len(p.strangers.fields) > 0 }

// tuple appends the record that was read as a row of the group.
func (p *plan) tuple(dst []byte, g *group) ([]byte, error) {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(g.columns)))
	columns, cells := p.columns, p.cells
	var err error
	for i := range columns {
		c := &columns[i]
		v := &cells[c.cell]
		if c.verbatim.takes(v) {
			dst = c.verbatim.append(dst, v.Bytes)
			continue
		}
		if v.Kind <= Null {
			if v.Kind == Absent && g.lacks.has(i) {
				continue
			}
			if c.notNull {
				return dst, c.missing(v)
			}
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		start := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		if dst, err = c.put(dst, v); err != nil {
			return dst, fmt.Errorf("%s: %w", c.label, err)
		}
		binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	}
	return dst, nil
}

// missing is the reason of a record that has nothing for the column.
func (c *column) missing(v *Value) error {
	if c.version {
		return fmt.Errorf("%s: %s is %s, and it is the version that tells which of two records is newer", c.label, c.from, lacking(v))
	}
	if v.Kind == Null {
		return fmt.Errorf("%s: %s is null, and the column is NOT NULL", c.label, c.from)
	}
	return fmt.Errorf("%s: %s is missing, and the column is NOT NULL without a default", c.label, c.from)
}

// lacking names the two ways of having no value.
func lacking(v *Value) string {
	if v.Kind == Null {
		return "null"
	}
	return "missing"
}
