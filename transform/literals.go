package transform

import "github.com/sinkd/sinkd"

// textFormOf gives the encoder of a column whose type has no binary one: it
// appends the text that Postgres is to parse.
func textFormOf(c *sinkd.Column, r *sinkd.Route) appendFunc {
	text := textEncoder{strip: r.StripNUL, objects: true}
	if c.Elem == 0 {
		return text.append
	}
	return (&literalEncoder{text: text, delimiter: delimiterOf(c.Elem)}).append
}

// oidBox is the one type of Postgres whose arrays have another delimiter.
const oidBox = 603

func delimiterOf(elem uint32) byte {
	if elem == oidBox {
		return ';'
	}
	return ','
}

// literalEncoder writes a JSON array as Postgres writes arrays: {"a",NULL}. Its
// elements are in their text form, too.
type literalEncoder struct {
	text      textEncoder
	delimiter byte
	// raw and plain hold an element as it is in the record, and in text form.
	raw, plain []byte
}

func (e *literalEncoder) append(dst []byte, v *Value) ([]byte, error) {
	src, ok := arrayText(v)
	if !ok {
		return e.text.append(dst, v)
	}
	var err error
	for i := space(src, 0); i < len(src); i = space(src, i) {
		switch src[i] {
		case '[':
			dst = append(dst, '{')
			i++
		case ']':
			dst = append(dst, '}')
			i++
		case ',':
			dst = append(dst, e.delimiter)
			i++
		default:
			if dst, i, err = e.element(dst, src, i); err != nil {
				return dst, err
			}
		}
	}
	return dst, nil
}

func (e *literalEncoder) element(dst, src []byte, i int) ([]byte, int, error) {
	v, next := valueAt(src, i)
	if v.Kind == Null {
		return append(dst, "NULL"...), next, nil
	}
	if v.Kind == String && mark(v.Num)&hasEscape != 0 {
		e.raw = unescape(emptied(e.raw), v.Bytes)
		v.Bytes = e.raw
	}
	plain, err := e.text.append(emptied(e.plain), &v)
	e.plain = plain
	if err != nil {
		return dst, next, errElement(err)
	}
	dst = append(dst, '"')
	for _, c := range plain {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"'), next, nil
}
