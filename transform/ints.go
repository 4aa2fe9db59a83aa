package transform

import (
	"encoding/binary"
	"math"
)

// intEncoder encodes smallint, integer and bigint.
type intEncoder struct {
	// size is the number of bytes; lowest and highest bound the values.
	size            int
	lowest, highest int64
	// name is the type's, for messages.
	name string
	// unit is the unit of times, as a power of ten of microseconds.
	unit int
}

func newIntEncoder(size, unit int) *intEncoder {
	e := &intEncoder{size: size, unit: unit}
	switch size {
	case 2:
		e.lowest, e.highest, e.name = math.MinInt16, math.MaxInt16, "smallint"
	case 4:
		e.lowest, e.highest, e.name = math.MinInt32, math.MaxInt32, "integer"
	default:
		e.lowest, e.highest, e.name = math.MinInt64, math.MaxInt64, "bigint"
	}
	return e
}

func (e *intEncoder) append(dst []byte, v *Value) ([]byte, error) {
	n, err := e.value(v)
	if err != nil {
		return dst, err
	}
	if n < e.lowest || n > e.highest {
		return dst, misfit(v, "is out of range for "+e.name)
	}
	switch e.size {
	case 2:
		return binary.BigEndian.AppendUint16(dst, uint16(n)), nil
	case 4:
		return binary.BigEndian.AppendUint32(dst, uint32(n)), nil
	}
	return binary.BigEndian.AppendUint64(dst, uint64(n)), nil
}

func (e *intEncoder) value(v *Value) (int64, error) {
	switch v.Kind {
	case Int:
		return int64(v.Num), nil
	case Time:
		return epochOf(int64(v.Num), e.unit), nil
	case Number:
		if v.Places == 1 {
			return int64(v.Num), nil
		}
		if n, ok := shortInt(v.Bytes); ok {
			return n, nil
		}
		return e.exact(v, v.Bytes)
	case String, Bytes:
		return e.parse(v)
	}
	return 0, misfit(v, "is not an integer")
}

// parse reads a string as Postgres does: white space around it, a sign, digits.
func (e *intEncoder) parse(v *Value) (int64, error) {
	text := trim(v.Bytes)
	if n, ok := shortInt(text); ok {
		return n, nil
	}
	unsigned := text
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		unsigned = text[1:]
	}
	if len(unsigned) == 0 || digits(unsigned, 0) != len(unsigned) {
		return 0, misfit(v, "is not an integer")
	}
	return e.exact(v, text)
}

// exact reads a number that must not have a fraction: 1.0 and 1e3 have none.
func (e *intEncoder) exact(v *Value, text []byte) (int64, error) {
	d, ok := parseDecimal(text)
	if !ok {
		return 0, misfit(v, "is not an integer")
	}
	mag, exact, ok := d.integer()
	switch {
	case !ok:
		return 0, misfit(v, "is out of range for "+e.name)
	case !exact:
		return 0, misfit(v, "has a fraction, which "+e.name+" would lose")
	case d.negative && mag <= 1<<63:
		return -int64(mag), nil
	case !d.negative && mag <= math.MaxInt64:
		return int64(mag), nil
	}
	return 0, misfit(v, "is out of range for "+e.name)
}

// shortInt reads up to 18 digits with an optional minus, which cannot overflow.
func shortInt(b []byte) (int64, bool) {
	i := 0
	if len(b) > 0 && b[0] == '-' {
		i = 1
	}
	if len(b) == i || len(b)-i > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b[i:] {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	if i == 1 {
		n = -n
	}
	return n, true
}

// trim takes away the white space that Postgres ignores around numbers.
func trim(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c-'\t' <= '\r'-'\t' }
