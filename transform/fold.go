package transform

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"

	"github.com/sinkd/sinkd"
)

// fold knows the keys that the batch in work has in one target, and where the
// rows of each are. It is a hash table with open addressing: a Go map would
// need a string for each key.
type fold struct {
	seed maphash.Seed
	// slots hold 1 + an index in keys, 0 where they are free.
	slots []int32
	keys  []folded
	// again tells that a key came several times.
	again bool
}

// folded is one key. Of its rows in the batch, at most one of each kind is
// left.
type folded struct {
	hash uint32
	// group and row are where the row is that enters the table, gone is the row
	// in the group of the tombstones; noRow for none.
	group, row, gone int32
	// again tells that a record of the key came after another one.
	again bool
}

const noRow = -1

// find finds or makes the entry of the key, whose bytes must stay where they
// are until its row was added. The entry is good until the next call.
func (f *fold) find(e *Encoder, t *target, key []byte) (k *folded, known bool) {
	if len(f.slots) == 0 {
		f.open(e.left + 1)
	}
	hash := f.hash(key)
	mask := uint32(len(f.slots) - 1)
	for at := hash & mask; ; at = (at + stride) & mask {
		n := f.slots[at]
		if n == 0 {
			f.keys = append(f.keys, folded{hash: hash, group: noRow, row: noRow, gone: noRow})
			f.slots[at] = int32(len(f.keys))
			return &f.keys[len(f.keys)-1], false
		}
		if k = &f.keys[n-1]; k.hash == hash && bytes.HasPrefix(t.keyed(k), key) {
			return k, true
		}
	}
}

// stride is the way from a slot to the one to look at next: into another line of
// the processor's cache, and sooner or later to all of them.
const stride = 17

// hash gives keys that differ in their last four bits only, as keys do that were
// counted up, slots side by side, which the processor has in its cache together.
func (f *fold) hash(key []byte) uint32 {
	rest, last := key[:len(key)-1], uint32(key[len(key)-1])
	return uint32(maphash.Bytes(f.seed, rest)) + last>>4*0x9e3779b1 ^ last&15
}

// open makes the table ready for at most n keys.
func (f *fold) open(n int) {
	if f.seed == (maphash.Seed{}) {
		f.seed = maphash.MakeSeed()
	}
	size := 1 << bits.Len(uint(2*n))
	if cap(f.slots) < size {
		f.slots = make([]int32, size)
		return
	}
	f.slots = f.slots[:size]
	clear(f.slots)
}

func (f *fold) reset() { f.slots, f.keys, f.again = f.slots[:0], f.keys[:0], false }

// keyed gives a row of the key, from where its key begins.
func (t *target) keyed(k *folded) []byte {
	g, row := t.gone, k.gone
	if k.row >= 0 {
		g, row = t.groups[k.group], k.row
	}
	return g.buf[g.row[row].Start+2:]
}

// keyOf gives the fields of a tuple's first n columns, which are not NULL, with
// their lengths: two keys are equal where these bytes are.
func keyOf(tuple []byte, n int) []byte {
	end := 2
	for range n {
		end += 4 + int(binary.BigEndian.Uint32(tuple[end:]))
	}
	return tuple[2:end]
}

// foldWrite takes in the row that the group ends with, from start on, and tells
// whether it has no effect.
func (e *Encoder) foldWrite(t *target, g *group, start int) (skipped bool) {
	tuple := g.buf[start:]
	key := keyOf(tuple, t.keys)
	k, known := t.fold.find(e, t, key)
	if known && k.row >= 0 {
		k.again, t.fold.again = true, true
		if t.route.Mode == sinkd.Ignore || t.newer != nil && t.compare(k, tuple, key) < 0 {
			g.buf = g.buf[:start]
			return true
		}
		if e.cover(t, k, g, start) {
			return false
		}
	}
	if known && k.gone >= 0 && t.gone.op == sinkd.Mark && t.newer == nil {
		t.gone.kill(k.gone)
		k.gone = noRow
	}
	k.group, k.row = g.number, int32(len(g.row))
	e.add(g, start)
	return false
}
