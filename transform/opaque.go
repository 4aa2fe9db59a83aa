package transform

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/sinkd/sinkd"
)

// form is what a source makes of the record's value.
type form uint8

const (
	// raw: its bytes, of which nothing is known.
	raw form = iota
	// text: a string.
	text
	// hexadecimal: a string of \x and hexadecimal digits, which a column that
	// takes JSON needs; Postgres casts it to bytea as it is.
	hexadecimal
)

// errNotText is a value that SINKD_FORMAT=text cannot read.
var errNotText = errors.New("value is not text: invalid UTF-8")

// opaque tells that values are one string or one byte string, without fields.
func (c *compiler) opaque() bool {
	return c.route.Format == "text" || c.route.Format == "bytes"
}

// formOf gives what a column takes of the value.
func (c *compiler) formOf(col *sinkd.Column) form {
	switch {
	case c.route.Format == "text":
		return text
	case c.route.Format == "bytes" && takesJSON(col):
		return hexadecimal
	}
	return raw
}

// receiver finds the column that takes an opaque value: the one that
// SINKD_COLUMNS gives it to, one by the name of value, or the only one that
// nothing else fills. In a landing table that is value: a JSON string, of the
// text, or of \x and the hexadecimal digits of the bytes.
func (c *compiler) receiver(mapped map[string]string) error {
	if !c.opaque() {
		return nil
	}
	var free []string
	for i := range c.table.Columns {
		col := &c.table.Columns[i]
		switch from := mapped[col.Name]; {
		case from == "@value":
			c.value = col.Name
			return nil
		case from != "" && !strings.HasPrefix(from, "@"):
			return c.refuse("use @value, or SINKD_FORMAT=json", "column %q takes its value from field %s, and with SINKD_FORMAT=%s a value has no fields",
				col.Name, from, c.route.Format)
		case from == "" && !col.Generated && coordinates[col.Name] == "" && !c.reserved(col.Name):
			free = append(free, col.Name)
		}
	}
	switch {
	case slices.Contains(free, "value"):
		c.value = "value"
	case len(free) == 1:
		c.value = free[0]
	default:
		return c.refuse("name one: SINKD_COLUMNS=column=@value", "with SINKD_FORMAT=%s a value fills one column, and %d could take it", c.route.Format, len(free))
	}
	return nil
}

// reserved tells whether the mode has its own use for the column.
func (c *compiler) reserved(name string) bool {
	return c.hasKey() && slices.Contains(c.table.Key, name) ||
		c.route.Mode == sinkd.Upsert && (name == c.route.Version || c.mode() == sinkd.Soft && name == c.route.DeletedColumn)
}

// value fills a cell from the record's value.
func (p *plan) value(v *Value, f form, rec *sinkd.Record) error {
	v.raw(rec.Value)
	switch {
	case v.Kind == Null:
	case f == text:
		if v.text(); v.Kind != String {
			return errNotText
		}
	case f == hexadecimal:
		start := len(p.memory)
		p.memory = hex.AppendEncode(append(p.memory, `\x`...), rec.Value)
		v.Kind, v.Num, v.Bytes = String, 0, p.memory[start:]
	}
	return nil
}
