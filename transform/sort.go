package transform

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/sinkd/sinkd"
)

// sorter sorts the rows of a group by their keys, so that Postgres meets the
// pages of an index one after the other: integers and times by value, text
// bytewise. It compares eight bytes of the keys at a time, as one number.
type sorter struct {
	// keys are the keys in a form that sorts bytewise, ends where each ends.
	keys []byte
	ends []int32
	// items are sorted, spare is as long.
	items, spare []item
	// moved tells that the items were not in order.
	moved bool
	// again tells of each row of a group whether it stands for several records.
	again []bool
}

// item is a row and its key, by their numbers.
type item struct {
	prefix   uint64
	row, key int32
}

// slack is what is read beyond the last key.
const slack = "\x00\x00\x00\x00\x00\x00\x00\x00"

// arrange drops the superseded rows of a group and sorts the others by key.
func (e *Encoder) arrange(t *target, g *group) {
	s := &e.sorter
	s.read(t, g)
	s.sort(s.items, 0)
	again := e.repeats(t, g)
	if again != nil {
		g.repeated = e.spares.number()
	}
	if !s.moved && g.dead == 0 {
		for n := range again {
			if again[n] {
				g.repeated = append(g.repeated, int32(n))
			}
		}
		return
	}
	buf, row := e.spares.get(g.size)
	buf = append(slices.Grow(buf, g.size), sinkd.CopyHeader...)
	row = slices.Grow(row, len(s.items))
	for i := range s.items {
		ref := g.row[s.items[i].row]
		if again != nil && again[s.items[i].row] {
			g.repeated = append(g.repeated, int32(len(row)))
		}
		ref.Start = len(buf)
		row = append(row, ref)
		buf = append(buf, g.tuple(s.items[i].row)...)
	}
	e.drop(g)
	g.buf, g.row = buf, row
}

// repeats tells which rows of a group stand for several records of their key, nil
// where no key came several times.
func (e *Encoder) repeats(t *target, g *group) []bool {
	if !t.fold.again || g == t.gone {
		return nil
	}
	rows := slices.Grow(e.sorter.again[:0], len(g.row))[:len(g.row)]
	clear(rows)
	e.sorter.again = rows
	for i := range t.fold.keys {
		if k := &t.fold.keys[i]; k.again && k.row >= 0 && k.group == g.number {
			rows[k.row] = true
		}
	}
	return rows
}

// read takes the keys of the rows that are left.
func (s *sorter) read(t *target, g *group) {
	if cap(s.keys) > largeBuffer && len(s.keys) < cap(s.keys)/8 {
		s.keys = nil
	}
	s.keys, s.ends, s.items, s.moved = s.keys[:0], s.ends[:0], s.items[:0], false
	for n := range g.row {
		if g.row[n].Range == superseded {
			continue
		}
		s.items = append(s.items, item{row: int32(n), key: int32(len(s.ends))})
		s.keys = appendSortable(s.keys, g.buf[g.row[n].Start+2:], t.shapes)
		s.ends = append(s.ends, int32(len(s.keys)))
	}
	s.keys = append(s.keys, slack...)
	s.spare = slices.Grow(s.spare[:0], len(s.items))
}

// appendSortable appends the fields of a key so that they sort bytewise. A
// field of any length is ended by a zero byte, which text cannot have; where a
// bytea has one, keys may be out of order, and nothing depends on it.
func appendSortable(dst, key []byte, shapes []shape) []byte {
	for _, shape := range shapes {
		var field []byte
		field, key = cutField(key)
		start := len(dst)
		dst = append(dst, field[4:]...)
		switch shape {
		case signed:
			dst[start] ^= 0x80
		case variable:
			dst = append(dst, 0)
		}
	}
	return dst
}

// sort sorts items whose keys are the same in front of depth.
func (s *sorter) sort(items []item, depth int) {
	var varying uint64
	ordered := true
	for varying == 0 {
		more := false
		for i := range items {
			prefix, rest := s.prefix(items[i].key, depth)
			items[i].prefix = prefix
			more = more || rest
			varying |= prefix ^ items[0].prefix
			ordered = ordered && (i == 0 || items[i-1].prefix <= prefix)
		}
		if !more {
			return
		}
		depth += 8
	}
	if !ordered {
		s.moved = true
		s.byPrefix(items, varying)
	}
	for len(items) > 1 {
		run := 1
		for run < len(items) && items[run].prefix == items[0].prefix {
			run++
		}
		if run > 1 {
			s.sort(items[:run:run], depth)
		}
		items = items[run:]
	}
}

// prefix gives eight bytes of a key, and whether it has any there. What it has
// of them beyond the key's end decides nothing, for keys differ before.
func (s *sorter) prefix(key int32, depth int) (prefix uint64, rest bool) {
	start := depth
	if key > 0 {
		start += int(s.ends[key-1])
	}
	if start >= int(s.ends[key]) {
		return 0, false
	}
	return binary.BigEndian.Uint64(s.keys[start:]), true
}

// fewItems is the number up to which comparing is faster than counting.
const fewItems = 128

// byPrefix sorts by the prefixes, which differ in the varying bits: by
// comparison where there are few, else byte by byte from the last one, counting
// how many have each value.
func (s *sorter) byPrefix(items []item, varying uint64) {
	if len(items) <= fewItems {
		slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.prefix, b.prefix) })
		return
	}
	from, to := items, s.spare[:len(items)]
	for shift := 0; shift < 64; shift += 8 {
		if varying>>shift&0xff == 0 {
			continue
		}
		var at [256]int32
		for i := range from {
			at[byte(from[i].prefix>>shift)]++
		}
		sum := int32(0)
		for i := range at {
			at[i], sum = sum, sum+at[i]
		}
		for i := range from {
			place := &at[byte(from[i].prefix>>shift)]
			to[*place] = from[i]
			*place++
		}
		from, to = to, from
	}
	if &from[0] != &items[0] {
		copy(items, from)
	}
}
