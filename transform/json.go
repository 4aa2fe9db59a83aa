package transform

import (
	"errors"
	"fmt"
	"slices"
)

// jsonDecoder reads JSON in one pass, strictly: RFC 8259 with valid UTF-8, no
// lone surrogates, no mapped field twice, bounded depth, nothing behind the
// value. What nothing maps is validated just the same.
type jsonDecoder struct {
	root *node
	// what names what is read: value or key.
	what string
	// record counts the records, so that a field given twice is noticed.
	record uint64
	src    []byte
	dst    []Value
	// memory holds the strings of this record that had escapes.
	memory []byte
	// strangers are the fields that nothing maps; nil where they are ignored.
	strangers *strangers
	// culprit is the innermost mapped field in which a fault was met.
	culprit *node
}

// Decode fills the cells of the mapped fields.
func (d *jsonDecoder) Decode(dst []Value, src []byte) error {
	d.src, d.dst, d.memory, d.culprit = src, dst, emptied(d.memory), nil
	d.record++
	i, _, f := d.value(d.root, space(src, 0), 0)
	if f == fine {
		if i = space(src, i); i < len(src) {
			f = trailing
		}
	}
	if f != fine {
		return d.refuse(f)
	}
	return nil
}

// refuse names what is wrong, and the column if one is concerned. Where in the
// text it is wrong it does not say, so that records which are wrong in the same
// way have the same reason.
func (d *jsonDecoder) refuse(f fault) error {
	n := d.culprit
	switch {
	case f == refused:
		return fmt.Errorf("field %s: no column takes it, and SINKD_UNKNOWN_FIELDS=dead-letter", d.strangers.refused)
	case len(d.src) == 0:
		return errors.New(d.what + " is not JSON: it is empty")
	case n != nil && n.path != "":
		return fmt.Errorf("%s: field %s: %s", n.label, n.path, f)
	case f == notObject:
		return errors.New(d.what + " is not a JSON object, so none of its fields matches a column")
	}
	return fmt.Errorf("%s is not JSON: %s", d.what, f)
}

// value reads the field n, whose value begins at i.
func (d *jsonDecoder) value(n *node, i, depth int) (int, mark, fault) {
	src := d.src
	switch {
	case n.seen == d.record:
		return d.blame(n, i, givenTwice)
	case i >= len(src):
		return d.blame(n, i, cutShort)
	}
	n.seen = d.record
	if src[i] == '"' && n.single() {
		// Nearly all strings are plain, and are read without a call.
		if end := words(src, i+1); end < len(src) && src[end] == '"' {
			if text := src[i+1 : end]; !unavailable(text, n.bytea) {
				v := &d.dst[n.cell]
				v.Kind, v.Num, v.Bytes = String, 0, text
			}
			return end + 1, 0, fine
		}
	}
	if c := src[i]; (c == '-' || c-'0' <= 9) && n.single() {
		if num, places, end := shortNumber(src, i); places > 0 {
			v := &d.dst[n.cell]
			v.Kind, v.Places, v.Num, v.Bytes = Number, uint8(places), uint64(num), src[i:end]
			return end, 0, fine
		}
	}
	kind, end, m, f := d.scan(n, i, depth)
	if f != fine {
		return d.blame(n, end, f)
	}
	if n.names != nil && kind != Object {
		if kind != Null || n == d.root {
			return d.blame(n, i, notObject)
		}
		d.nullify(n)
	}
	d.store(n, kind, src[i:end], m)
	return end, m, fine
}

// scan goes over the value of the field n, and fills the cells below it.
func (d *jsonDecoder) scan(n *node, i, depth int) (kind Kind, end int, m mark, f fault) {
	switch c := d.src[i]; {
	case c == '"':
		if end, m, f = scanString(d.src, i+1); f == fine {
			end++
		}
		return String, end, m, f
	case c == '-' || c-'0' <= 9:
		end, m, f = scanNumber(d.src, i)
		return Number, end, m, f
	case c == '{' && n.names != nil:
		end, m, f = d.object(n, i+1, depth+1)
		return Object, end, m, f
	case c == '{':
		end, m, f = skipObject(d.src, i+1, depth+1)
		return Object, end, m, f
	case c == '[':
		end, m, f = skipArray(d.src, i+1, depth+1)
		return Array, end, m, f
	case c == 'n':
		kind = Null
	default:
		kind = Bool
	}
	end, f = scanLiteral(d.src, i)
	return kind, end, 0, f
}

// blame remembers the innermost field in which the fault at i was met.
func (d *jsonDecoder) blame(n *node, i int, f fault) (int, mark, fault) {
	if d.culprit == nil {
		d.culprit = n
	}
	return i, 0, f
}

// store fills the field's cells from its JSON text.
func (d *jsonDecoder) store(n *node, kind Kind, text []byte, m mark) {
	if n.text >= 0 {
		d.storeText(n, kind, text, m)
	}
	if n.cell < 0 {
		return
	}
	v := &d.dst[n.cell]
	switch kind {
	case String:
		if text = text[1 : len(text)-1]; unavailable(text, n.bytea) {
			return
		}
		if m&hasEscape != 0 {
			text = d.unescaped(text)
		}
	case Bool:
		// The cell still has what the last record left in it.
		v.Kind, v.Num = Bool, 0
		if text[0] == 't' {
			v.Num = 1
		}
		return
	}
	v.Kind, v.Places, v.Num, v.Bytes = kind, 0, uint64(m), text
}

// storeText fills the cell that takes the field as JSON text.
func (d *jsonDecoder) storeText(n *node, kind Kind, text []byte, m mark) {
	v := &d.dst[n.text]
	switch {
	case kind == Null && n != d.root:
		// A value that is null as a whole stays JSON: SQL's NULL is a tombstone.
		v.Kind = Null
	case kind == String && unavailable(text[1:len(text)-1], false):
	default:
		v.Kind, v.Num, v.Bytes = JSON, uint64(m), text
	}
}

// object reads the members of the field n, behind the opening brace.
func (d *jsonDecoder) object(n *node, i, depth int) (int, mark, fault) {
	if depth > maxDepth {
		return i, 0, tooDeep
	}
	src := d.src
	i = space(src, i)
	if i < len(src) && src[i] == '}' {
		return i + 1, 0, fine
	}
	last := n.entries[first]
	var seen, m mark
	var f fault
	var child *node
	for {
		name := i
		if next := last.next; next.at(src, i) {
			last, child = next, next.child
			i = space(src, i+next.size)
		} else if child, i, m, f = d.find(n, &last, i); f != fine {
			return i, 0, f
		} else {
			seen |= m
		}
		switch {
		case child != nil:
			i, m, f = d.value(child, i, depth)
		case n.known:
			i, m, f = skip(src, i, depth)
		default:
			i, m, f = d.stranger(n, name, i, depth)
		}
		if f != fine {
			return i, 0, f
		}
		seen |= m
		if i < len(src) && src[i] == ',' {
			i = space(src, i+1)
			continue
		}
		var more bool
		if i, more, f = separator(src, i, '}'); !more {
			return i, seen, f
		}
	}
}

// nullify makes everything below a null field null: the record says that there
// is nothing, which is not the same as not saying it.
func (d *jsonDecoder) nullify(n *node) {
	for _, e := range n.entries {
		c := e.child
		if c == nil {
			continue
		}
		if c.cell >= 0 {
			d.dst[c.cell] = Value{Kind: Null}
		}
		if c.text >= 0 {
			d.dst[c.text] = Value{Kind: Null}
		}
		d.nullify(c)
	}
}

// unavailable tells whether a string is what Debezium puts in place of a value
// that it does not know: the field is as good as absent. For binary columns it
// stands in base64 or hexadecimal digits.
func unavailable(s []byte, bytea bool) bool {
	const (
		text   = "__debezium_unavailable_value"
		base64 = "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="
		base16 = "5f5f646562657a69756d5f756e617661696c61626c655f76616c7565"
	)
	switch len(s) {
	case len(text):
		return string(s) == text
	case len(base64):
		return bytea && string(s) == base64
	case len(base16):
		return bytea && string(s) == base16
	}
	return false
}

// unescaped gives the text that a string's content stands for.
func (d *jsonDecoder) unescaped(src []byte) []byte {
	start := len(d.memory)
	d.memory = unescape(slices.Grow(d.memory, len(src)), src)
	return d.memory[start:]
}

// find finds the field whose name begins at i, where it is not the one that was
// expected. It gives the index of its value, and moves last on to its entry. The
// field is nil where nothing maps it.
func (d *jsonDecoder) find(n *node, last **entry, i int) (*node, int, mark, fault) {
	switch {
	case i >= len(d.src):
		return nil, i, 0, cutShort
	case d.src[i] != '"':
		return nil, i, 0, unexpected
	}
	end, m, f := scanString(d.src, i+1)
	if f != fine {
		return nil, end, 0, f
	}
	name := d.src[i+1 : end]
	if i, f = colon(d.src, end+1); f != fine {
		return nil, i, 0, f
	}
	if m&hasEscape != 0 {
		if e := n.names[string(d.unescaped(name))]; e != nil {
			return e.child, i, m, fine
		}
		return nil, i, m, fine
	}
	e := n.names[string(name)]
	if e == nil {
		if len(n.entries) >= maxEntries || len(name) > maxName {
			return nil, i, m, fine
		}
		e = n.learn(string(name), nil)
	}
	(*last).next = e
	*last = e
	return e.child, i, m, fine
}
