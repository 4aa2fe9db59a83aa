package transform

import "github.com/sinkd/sinkd"

// candidate is a type that a field's column may have.
type candidate struct {
	name string
	// native tells of the kinds of values that the type is proposed for; it may
	// take others as well.
	native func(v *Value) bool
	put    appendFunc
	// json tells that the type takes values as JSON text.
	json bool
}

// candidates are the types that are proposed, the most telling first: the first
// that takes all values of a field is the one.
func candidates(r *sinkd.Route) []candidate {
	is := func(kinds ...Kind) func(*Value) bool {
		return func(v *Value) bool {
			for _, k := range kinds {
				if v.Kind == k {
					return true
				}
			}
			return false
		}
	}
	shaped := func(shape string) func(*Value) bool {
		return func(v *Value) bool { return v.Kind == String && hasShape(v.Bytes, shape) }
	}
	all := []candidate{
		{name: "boolean", native: is(Bool)},
		{name: "bigint", native: func(v *Value) bool { return v.Kind == Number && columnKindOf(v.Bytes) == kindBigint }},
		{name: "numeric", native: is(Number)},
		{name: "uuid", native: shaped("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")},
		{name: "date", native: func(v *Value) bool { return len(v.Bytes) == 10 && shaped("0000-00-00")(v) }},
		{name: "timestamptz", native: shaped("0000-00-00_00:00")},
		{name: "text", native: is(Bool, Number, String)},
		{name: "jsonb", native: is(Bool, Number, String, Array, Object), json: true},
	}
	oids := []uint32{oidBool, oidInt8, oidNumeric, oidUUID, oidDate, oidTimestamptz, oidText, oidJSONB}
	for i := range all {
		all[i].put = encoderOf(&sinkd.Column{Type: oids[i], Typmod: -1}, r)
	}
	return all
}

// takes tells whether the column is proposed for the value and would take it.
func (c *candidate) takes(f *field) bool {
	if !c.native(&f.value) {
		return false
	}
	v := f.value
	if c.json {
		v.Kind, v.Bytes = JSON, f.raw
	}
	_, err := c.put(nil, &v)
	return err == nil
}

// hasShape tells whether a text begins as the shape does: 0 stands for a digit,
// x for a hexadecimal one, _ for what is between a date and a time.
func hasShape(text []byte, shape string) bool {
	if len(text) < len(shape) {
		return false
	}
	for i := range len(shape) {
		c := text[i]
		digit := c-'0' <= 9
		switch shape[i] {
		case '0':
			if !digit {
				return false
			}
		case 'x':
			if !digit && (c|0x20)-'a' > 5 {
				return false
			}
		case '_':
			if c != 'T' && c != 't' && c != ' ' {
				return false
			}
		default:
			if c != shape[i] {
				return false
			}
		}
	}
	return true
}
