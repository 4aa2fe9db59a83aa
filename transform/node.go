package transform

import "encoding/binary"

const (
	// maxEntries bounds how many names a node learns; data may have endlessly
	// many. Names that were not learned are only slower.
	maxEntries = 256
	// maxName bounds the length of a learned name.
	maxName = 128
)

// node is a field that the plan knows, or the value itself. Nodes form a tree
// along the mapped paths; address.city is a child of address.
type node struct {
	// path is the field's, for messages; empty for the whole value.
	path string
	// label names the column that takes the field, for messages.
	label string
	// cell and text are the cells that take the field as a value and as JSON
	// text, -1 for none.
	cell, text int
	// bytea tells that a bytea column takes the field.
	bytea bool
	// known tells that all fields of the object are taken by a column, or need
	// not be.
	known bool
	// entries are the names that the object is known to have, those that
	// nothing maps included. Each knows which one came next the last time, so
	// that a name is usually found by one comparison.
	entries []*entry
	// names finds an entry by its name; nil where no path leads on.
	names map[string]*entry
	// seen is the number of the record that last had the field.
	seen uint64
}

// entry is a name that an object is known to have.
type entry struct {
	// quoted is the name with its quotes and the colon, as they usually stand in
	// the text, size its length.
	quoted string
	size   int
	// low and high are the first 16 bytes of quoted, with masks for those that
	// it has: comparing words is faster than comparing strings.
	low, lowMask, high, highMask uint64
	// child is the mapped field, nil if nothing maps the name.
	child *node
	// next is the entry that followed the last time.
	next *entry
}

func newEntry(name string, child *node) *entry {
	e := &entry{quoted: `"` + name + `":`, child: child}
	e.size = len(e.quoted)
	var text, mask [16]byte
	for i := range copy(text[:], e.quoted) {
		mask[i] = 0xff
	}
	e.low, e.high = binary.LittleEndian.Uint64(text[:]), binary.LittleEndian.Uint64(text[8:])
	e.lowMask, e.highMask = binary.LittleEndian.Uint64(mask[:]), binary.LittleEndian.Uint64(mask[8:])
	return e
}

// at tells whether the name stands at i.
func (e *entry) at(src []byte, i int) bool {
	if i < 0 || i > len(src)-16 || e.size > 16 {
		return e.slowAt(src[i:])
	}
	low, high := binary.LittleEndian.Uint64(src[i:]), binary.LittleEndian.Uint64(src[i+8:])
	return (low^e.low)&e.lowMask|(high^e.high)&e.highMask == 0
}

func (e *entry) slowAt(rest []byte) bool {
	return len(rest) >= len(e.quoted) && string(rest[:len(e.quoted)]) == e.quoted
}

// first is the entry that stands for the beginning of an object. It has the
// empty name, which no path can have.
const first = 0

// newNode gives a node that no cell takes.
func newNode(path string) *node {
	return &node{path: path, cell: -1, text: -1, known: true}
}

// step gives the child of that name, which it makes where there is none.
func (n *node) step(name string) *node {
	if n.names == nil {
		n.names = make(map[string]*entry)
		begin := n.learn("", nil)
		begin.next = begin
	}
	if e, ok := n.names[name]; ok {
		return e.child
	}
	path := name
	if n.path != "" {
		path = n.path + "." + name
	}
	child := newNode(path)
	n.learn(name, child)
	return child
}

// single tells that the field fills one cell, with its value, and no other.
func (n *node) single() bool { return n.cell >= 0 && n.text < 0 && n.names == nil }

// branches tells whether mapped paths lead on into the field.
func (n *node) branches() bool { return n.names != nil }

// learn adds a name and gives its entry. The one that is expected behind it is
// the first, until another came.
func (n *node) learn(name string, child *node) *entry {
	e := newEntry(name, child)
	n.entries = append(n.entries, e)
	e.next = n.entries[first]
	n.names[name] = e
	return e
}
