package transform

import (
	"encoding/binary"
	"math"
	"strconv"
)

// floatEncoder encodes real and double precision.
type floatEncoder struct {
	// bits is 32 or 64.
	bits int
	// unit is the unit of times, as a power of ten of microseconds.
	unit int
}

func (e *floatEncoder) append(dst []byte, v *Value) ([]byte, error) {
	var f float64
	var err error
	switch v.Kind {
	case Int:
		f = float64(int64(v.Num))
	case Time:
		f = float64(epochOf(int64(v.Num), e.unit))
	case Number:
		f, err = e.parse(v, v.Bytes)
	case String, Bytes:
		f, err = e.text(v)
	default:
		err = misfit(v, errNoNumber.Error())
	}
	if err != nil {
		return dst, err
	}
	if e.bits == 32 {
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(f))), nil
	}
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(f)), nil
}

// text reads a string as Postgres does, the special values included.
func (e *floatEncoder) text(v *Value) (float64, error) {
	text := trim(v.Bytes)
	if f, ok := specialFloat(text); ok {
		return f, nil
	}
	if _, ok := parseDecimal(text); !ok {
		return 0, misfit(v, errNoNumber.Error())
	}
	return e.parse(v, text)
}

// parse reads a decimal. What would become infinite, or zero without being
// it, is out of range, as in Postgres.
func (e *floatEncoder) parse(v *Value, text []byte) (float64, error) {
	f, err := strconv.ParseFloat(textOf(text), e.bits)
	if err != nil || (f == 0 && !isZero(text)) {
		name := "double precision"
		if e.bits == 32 {
			name = "real"
		}
		return 0, misfit(v, "is out of range for "+name)
	}
	return f, nil
}

// isZero tells whether all digits of a decimal, its exponent apart, are 0.
func isZero(text []byte) bool {
	d, ok := parseDecimal(text)
	return ok && d.leading() == d.len()
}

// specialFloat reads NaN and the infinities in all spellings of Postgres.
func specialFloat(b []byte) (float64, bool) {
	sign, signed := 1, false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		signed = true
		if b[0] == '-' {
			sign = -1
		}
		b = b[1:]
	}
	switch {
	case equalFold(b, "inf"), equalFold(b, "infinity"):
		return math.Inf(sign), true
	case !signed && equalFold(b, "nan"):
		return math.NaN(), true
	}
	return 0, false
}

// equalFold compares with a lower-case ASCII word, ignoring case.
func equalFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if c-'A' <= 'Z'-'A' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
