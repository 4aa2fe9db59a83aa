package transform

import (
	"errors"
	"strconv"
)

// jsonbVersion begins jsonb on the wire.
const jsonbVersion = 1

// jsonEncoder encodes json and jsonb. The text is left as it is.
type jsonEncoder struct {
	// version is put before jsonb's text on the wire, 0 for json.
	version byte
}

var (
	errNotJSON   = errors.New("is not JSON")
	errJSONNUL   = errors.New("a JSON value that holds an escaped NUL, which Postgres cannot; SINKD_NUL=strip does not reach into JSON")
	errJSONLarge = errors.New("a JSON value that holds a number out of range for jsonb")
)

func (e *jsonEncoder) append(dst []byte, v *Value) ([]byte, error) {
	if e.version != 0 {
		dst = append(dst, e.version)
	}
	switch v.Kind {
	case JSON, Array, Object:
		return e.appendChecked(dst, v.Bytes, mark(v.Num))
	case Bytes:
		end, m, f := skip(v.Bytes, space(v.Bytes, 0), 0)
		if f != fine || space(v.Bytes, end) != len(v.Bytes) {
			return dst, misfit(v, errNotJSON.Error())
		}
		return e.appendChecked(dst, v.Bytes, m)
	case String:
		if mark(v.Num)&hasNUL != 0 {
			return dst, errJSONNUL
		}
		return appendQuoted(dst, v.Bytes), nil
	case Number:
		return append(dst, v.Bytes...), nil
	case Bool:
		return strconv.AppendBool(dst, v.Num != 0), nil
	case Int:
		return strconv.AppendInt(dst, int64(v.Num), 10), nil
	case Time:
		return append(appendRFC3339(append(dst, '"'), int64(v.Num)), '"'), nil
	}
	return dst, misfit(v, errNotJSON.Error())
}

// appendChecked appends JSON text that is valid, unless Postgres would refuse
// it.
func (e *jsonEncoder) appendChecked(dst, text []byte, m mark) ([]byte, error) {
	switch {
	case m&hasNUL != 0:
		return dst, errJSONNUL
	case m&hasLarge != 0 && e.version != 0 && !numbersFit(text):
		return dst, errJSONLarge
	}
	return append(dst, text...), nil
}

// numbersFit tells whether jsonb, which keeps numbers as numeric, can hold all
// numbers of a valid JSON text.
func numbersFit(text []byte) bool {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			i, _, _ = scanString(text, i+1)
		case c == '-' || c-'0' <= 9:
			end, m, _ := scanNumber(text, i)
			if m&hasLarge != 0 && !numericHolds(text[i:end]) {
				return false
			}
			i = end - 1
		}
	}
	return true
}

// numericHolds tells whether an unlimited numeric can hold the number.
func numericHolds(text []byte) bool {
	d, ok := parseDecimal(text)
	if !ok {
		return false
	}
	_, ok = scaleOf(&d)
	return ok
}

// appendQuoted appends text as a JSON string.
func appendQuoted(dst, text []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
