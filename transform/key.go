package transform

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/sinkd/sinkd"
)

// keyReader takes the key's columns from the record's key, where the value
// does not have them.
type keyReader struct {
	// format is how the record's key is written; auto = JSON where it parses,
	// else text.
	format string
	// object reads a JSON object by name, scalar any other JSON value, which
	// only a key of one column can be.
	object, scalar *jsonDecoder
	// fields are the cells of the key's columns that the value or another part
	// of the record fills, spare those that the record's key fills.
	fields, spare []int
}

// locate finds the key of the record that was read. Where gone, the record is
// a tombstone: only its key and the column that it sets remain.
func (p *plan) locate(rec *sinkd.Record, gone bool) error {
	if gone {
		if err := p.bury(rec); err != nil {
			return err
		}
	}
	k, asked := p.key, false
	for i, field := range k.fields {
		c := &p.columns[i]
		c.cell = field
		if kind := p.cells[field].Kind; kind > Null {
			continue
		} else if kind == Null && !gone {
			return fmt.Errorf("%s: %s is null, and a key cannot be", c.label, c.from)
		}
		if !asked {
			asked = true
			if err := k.read(p.cells, rec.Key); err != nil {
				return err
			}
		}
		if c.cell = k.spare[i]; p.cells[c.cell].Kind <= Null {
			return p.keyless(c, rec, gone)
		}
	}
	return nil
}

// keyless is the reason of a record that has nothing for a column of the key.
func (p *plan) keyless(c *column, rec *sinkd.Record, gone bool) error {
	what := c.from + " is missing, and the column is part of the key: "
	if gone {
		what = "the record has no value, and the column is part of the key: "
	}
	switch v := &p.cells[c.cell]; {
	case rec.Key == nil:
		what += "the record has no key to take it from"
	case v.Kind == Null:
		what += "in the record's key it is null"
	case p.key.scalar == nil && !isObject(rec.Key):
		what += "the record's key is not a JSON object, so it cannot give several columns"
	default:
		what += "the record's key does not have it"
	}
	return errors.New(c.label + ": " + what)
}

// read fills the spare cells from the record's key.
func (k *keyReader) read(cells []Value, key []byte) error {
	if key == nil {
		return nil
	}
	switch k.format {
	case "", "auto", "json":
		err := k.decoder(key).Decode(cells, key)
		if err == nil || k.format == "json" || k.scalar == nil {
			return err
		}
		for _, n := range k.spare {
			cells[n].Kind = Absent
		}
	}
	if k.scalar == nil {
		return nil
	}
	v := &cells[k.spare[0]]
	v.raw(key)
	if k.format != "bytes" {
		v.text()
	}
	if v.Kind == Bytes && k.format == "text" {
		return errors.New("key is not text: invalid UTF-8")
	}
	return nil
}

// decoder gives the one that fits what the key begins with.
func (k *keyReader) decoder(key []byte) *jsonDecoder {
	if k.scalar == nil || isObject(key) {
		return k.object
	}
	return k.scalar
}

func isObject(b []byte) bool {
	i := space(b, 0)
	return i < len(b) && b[i] == '{'
}

// text makes bytes that are valid UTF-8 a string.
func (v *Value) text() {
	if v.Kind != Bytes || !utf8.Valid(v.Bytes) {
		return
	}
	v.Kind, v.Num = String, 0
	if bytes.IndexByte(v.Bytes, 0) >= 0 {
		v.Num = uint64(hasNUL)
	}
}
