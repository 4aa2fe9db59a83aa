package transform

import "errors"

// field is one member of a record's value.
type field struct {
	name string
	// raw is the value's JSON text, value what a column gets of it.
	raw   []byte
	value Value
}

// fieldsOf reads the members of a JSON object, for those who know no table. It
// is as strict as the decoder, and errors have its words.
func fieldsOf(src []byte) ([]field, error) {
	d := &jsonDecoder{root: newNode(""), what: "value"}
	if err := d.Decode(nil, src); err != nil {
		return nil, err
	}
	i := space(src, 0)
	if src[i] != '{' {
		return nil, errors.New("value is not a JSON object")
	}
	d.src = src
	var out []field
	seen := make(map[string]bool)
	i = space(src, i+1)
	for more := src[i] != '}'; more; {
		name, value, m, next := d.member(i)
		if seen[name] {
			return nil, errors.New("a field is given twice")
		}
		seen[name] = true
		if kind := kindOf(value); kind != String || !unavailable(value[1:len(value)-1], false) {
			out = append(out, field{name: name, raw: value, value: d.cell(kind, value, m)})
		}
		i, more, _ = separator(src, next, '}')
	}
	return out, nil
}

// member reads the member that begins at i of a valid object.
func (d *jsonDecoder) member(i int) (name string, value []byte, m mark, next int) {
	end, m, _ := scanString(d.src, i+1)
	raw := d.src[i+1 : end]
	if m&hasEscape != 0 {
		raw = d.unescaped(raw)
	}
	start, _ := colon(d.src, end+1)
	next, m, _ = skip(d.src, start, 1)
	return string(raw), d.src[start:next], m, next
}

// cell gives what a column gets of a JSON value.
func (d *jsonDecoder) cell(kind Kind, raw []byte, m mark) Value {
	v := Value{Kind: kind, Num: uint64(m), Bytes: raw}
	switch kind {
	case String:
		v.Bytes = raw[1 : len(raw)-1]
		if m&hasEscape != 0 {
			v.Bytes = d.unescaped(v.Bytes)
		}
	case Bool:
		v.Num, v.Bytes = 0, nil
		if raw[0] == 't' {
			v.Num = 1
		}
	}
	return v
}

// kindOf gives the kind of a valid JSON value.
func kindOf(raw []byte) Kind {
	switch raw[0] {
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return Array
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}
