package transform

import "encoding/binary"

// cover puts the row that the group ends with over the earlier one of its key,
// which leaves its stream. Where the later row lacks columns that the earlier
// one has, the two become one row, and the answer is true: it is in its group
// already.
//
// With versions, a row that lacks columns stands for two only where Postgres
// would take both or none. Where the earlier one is older that is not so, for
// the table may hold a version between the two: then the batch is encoded
// again, unfolded.
func (e *Encoder) cover(t *target, k *folded, g *group, start int) bool {
	old := t.groups[k.group]
	if g.lacks.within(old.lacks) {
		old.kill(k.row)
		return false
	}
	tuple := g.buf[start:]
	if t.newer != nil && t.compare(k, tuple, keyOf(tuple, t.keys)) != 0 {
		t.inexact, e.again = true, true
		return true
	}
	e.memory = append(e.memory[:0], tuple...)
	g.buf = g.buf[:start]
	e.lay(t, k, e.memory, g.lacks)
	return true
}

// lay makes the key's row the union of itself and of a later tuple, whose
// fields win.
func (e *Encoder) lay(t *target, k *folded, tuple []byte, lacks set) {
	old := t.groups[k.group]
	e.lacks = append(e.lacks[:0], old.lacks...)
	for i := range e.lacks {
		e.lacks[i] &= lacks[i]
	}
	g := old
	if !old.lacks.equal(e.lacks) {
		g = t.group(e.lacks)
		e.openGroup(t, g)
	}
	below := old.tuple(k.row)
	old.kill(k.row)
	start := len(g.buf)
	g.buf = binary.BigEndian.AppendUint16(g.buf, uint16(len(g.columns)))
	x, y := below[2:], tuple[2:]
	for n := range t.columns {
		var field []byte
		if !old.lacks.has(n) {
			field, x = cutField(x)
		}
		if !lacks.has(n) {
			field, y = cutField(y)
		}
		g.buf = append(g.buf, field...)
	}
	k.group, k.row = g.number, int32(len(g.row))
	e.add(g, start)
}

// cutField cuts the first field, with its length, from a tuple's fields.
func cutField(b []byte) (field, rest []byte) {
	n := 4
	if size := int32(binary.BigEndian.Uint32(b)); size > 0 {
		n += int(size)
	}
	return b[:n], b[n:]
}
