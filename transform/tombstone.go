package transform

import (
	"errors"

	"github.com/sinkd/sinkd"
)

// deletedColumn is the column by which rows are marked as deleted.
type deletedColumn struct {
	set bool
	// column is its index in the plan, cell the cell that nothing else fills.
	column, cell int
	// alive is what a write gives it: false, or NULL.
	alive Value
}

// errTimeless is a tombstone in the oldest message format.
var errTimeless = errors.New("the record has no value, and no timestamp to mark the row as deleted with")

// bury leaves the record in work, a tombstone, with its key and with what it
// sets.
func (p *plan) bury(rec *sinkd.Record) error {
	for i := range p.columns[p.target.keys:] {
		p.cells[p.columns[p.target.keys+i].cell].Kind = Absent
	}
	if !p.deleted.set {
		return nil
	}
	v := &p.cells[p.deleted.cell]
	if p.deleted.alive.Kind == Bool {
		v.Kind, v.Num = Bool, 1
		return nil
	}
	if err := v.timestamp(rec); err != nil {
		return err
	}
	if v.Kind == Null {
		return errTimeless
	}
	return nil
}

// goneGroup gives the group of the target's tombstones, open for a row.
func (e *Encoder) goneGroup(t *target) *group {
	e.openGroup(t, t.gone)
	return t.gone
}

// foldGone takes in the tombstone that the group of the gone ends with, from
// start on.
func (e *Encoder) foldGone(t *target, start int) {
	g := t.gone
	tuple := g.buf[start:]
	k, _ := t.fold.find(e, t, keyOf(tuple, t.keys))
	if k.gone >= 0 {
		g.kill(k.gone)
	}
	if k.row >= 0 && g.op == sinkd.Delete {
		t.groups[k.group].kill(k.row)
		k.row = noRow
	}
	marks := k.row >= 0
	if marks {
		e.memory = append(e.memory[:0], tuple...)
	}
	if marks && t.newer == nil {
		g.buf = g.buf[:start]
	} else {
		// With versions the write may not apply where the mark does.
		k.gone = int32(len(g.row))
		e.add(g, start)
	}
	if marks {
		e.lay(t, k, e.memory, g.lacks)
	}
}
