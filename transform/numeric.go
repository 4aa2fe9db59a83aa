package transform

import (
	"encoding/binary"
	"math/bits"
	"strconv"
)

// The signs of numeric on the wire.
const (
	numericPositive    = 0x0000
	numericNegative    = 0x4000
	numericNaN         = 0xC000
	numericInfinity    = 0xD000
	numericNegInfinity = 0xF000
)

const (
	// maxNumericWhole and maxNumericScale are the most digits that a numeric
	// has before and behind the point.
	maxNumericWhole = 131072
	maxNumericScale = 16383
)

// numericEncoder encodes numeric and numeric(p,s) from the digits themselves.
type numericEncoder struct {
	// limited tells that the column has precision and scale; a scale may be
	// negative.
	limited          bool
	precision, scale int
	unit             int
	// memory holds the digits, one a byte, of the number in work.
	memory []byte
}

// newNumericEncoder takes precision and scale from the type modifier.
func newNumericEncoder(typmod int32, unit int) *numericEncoder {
	e := &numericEncoder{unit: unit}
	if typmod >= 4 {
		m := int(typmod - 4)
		e.limited = true
		e.precision = m >> 16 & 0xffff
		e.scale = (m&0x7ff ^ 1024) - 1024
	}
	return e
}

func (e *numericEncoder) append(dst []byte, v *Value) ([]byte, error) {
	switch v.Kind {
	case Int, Time:
		n := int64(v.Num)
		if v.Kind == Time {
			n = epochOf(n, e.unit)
		}
		var text [20]byte
		return e.parse(dst, v, strconv.AppendInt(text[:0], n, 10))
	case Number:
		n, scale, ok := int64(v.Num), int(v.Places)-1, v.Places > 0
		if !ok {
			n, scale, ok = shortDecimal(v.Bytes)
		}
		if ok {
			if dst, ok = e.short(dst, n, scale); ok {
				return dst, nil
			}
		}
		return e.parse(dst, v, v.Bytes)
	case String, Bytes:
		return e.text(dst, v)
	}
	return dst, misfit(v, errNoNumber.Error())
}

// text reads a string as Postgres does, NaN and the infinities included.
func (e *numericEncoder) text(dst []byte, v *Value) ([]byte, error) {
	text := trim(v.Bytes)
	f, ok := specialFloat(text)
	switch {
	case !ok:
		return e.parse(dst, v, text)
	case f != f:
		return appendNumericHeader(dst, 0, 0, numericNaN, 0), nil
	case e.limited:
		return dst, misfit(v, "stands for infinity, for which precision and scale leave no room")
	case f > 0:
		return appendNumericHeader(dst, 0, 0, numericInfinity, 0), nil
	}
	return appendNumericHeader(dst, 0, 0, numericNegInfinity, 0), nil
}

// short encodes a number of few digits by arithmetic.
func (e *numericEncoder) short(dst []byte, digits int64, scale int) ([]byte, bool) {
	n, sign := uint64(digits), numericPositive
	if digits < 0 {
		n, sign = -n, numericNegative
	}
	shown := scale
	if e.limited {
		if !e.holds(n, scale) {
			return dst, false
		}
		shown = e.scale
	}
	// Zeros fill the last group; then there is room for four.
	if n >= [4]uint64{1e16, 1e13, 1e14, 1e15}[scale&3] {
		return dst, false
	}
	if n == 0 {
		return appendNumericHeader(dst, 0, 0, numericPositive, shown), true
	}
	var packed uint64
	groups := 0
	for n *= [4]uint64{1, 1000, 100, 10}[scale&3]; n > 0; n /= 10_000 {
		packed = packed>>16 | n%10_000<<48
		groups++
	}
	size := 4 - bits.TrailingZeros64(packed)/16
	dst = appendNumericHeader(dst, size, groups-(scale+3)/4-1, sign, shown)
	dst = binary.BigEndian.AppendUint64(dst, packed)
	return dst[:len(dst)-8+2*size], true
}

// holds tells whether the column takes a number of that scale as it is.
func (e *numericEncoder) holds(n uint64, scale int) bool {
	room := scale + e.precision - e.scale
	return scale <= e.scale && room >= 0 && (room >= len(powersOfTen) || n < powersOfTen[room])
}

func (e *numericEncoder) parse(dst []byte, v *Value, text []byte) ([]byte, error) {
	d, ok := parseDecimal(text)
	if !ok {
		return dst, misfit(v, errNoNumber.Error())
	}
	scale, ok := scaleOf(&d)
	digits, whole := e.round(&d)
	switch {
	case !ok:
		return dst, misfit(v, "is out of range for numeric")
	case e.limited:
		scale = max(0, e.scale)
		if len(digits) > 0 && whole > e.precision-e.scale {
			return dst, misfit(v, "has more digits than the column's precision leaves room for")
		}
	}
	if len(digits) == 0 {
		return appendNumericHeader(dst, 0, 0, numericPositive, scale), nil
	}
	sign := numericPositive
	if d.negative {
		sign = numericNegative
	}
	weight := (whole+3)>>2 - 1
	lead := (weight+1)*4 - whole
	dst = appendNumericHeader(dst, (lead+len(digits)+3)/4, weight, sign, scale)
	return appendGroups(dst, digits, lead), nil
}

// scaleOf gives the number of digits behind the point, and whether a numeric
// can hold the number, as it has to before precision and scale are applied.
func scaleOf(d *decimal) (scale int, ok bool) {
	exp := d.point - len(d.whole)
	if exp >= maxExponent || exp <= -maxExponent {
		return 0, false
	}
	scale = max(0, len(d.frac)-exp)
	start := d.leading()
	return scale, scale <= maxNumericScale && (start == d.len() || d.point-start <= maxNumericWhole)
}

// round gives the number's digits, rounded half away from zero to the column's
// scale, without zeros at either end, and how many of them are before the
// point; that is negative for zeros behind the point.
func (e *numericEncoder) round(d *decimal) (digits []byte, whole int) {
	start, end := d.leading(), d.len()
	up := false
	if e.limited {
		if cut := d.point + e.scale; cut < end {
			up = cut >= 0 && d.at(cut) >= 5
			end = max(start, cut)
		}
	}
	e.memory = append(emptied(e.memory), 0)
	for n := start; n < end; n++ {
		e.memory = append(e.memory, d.at(n))
	}
	digits, whole = e.memory, d.point-start+1
	if up {
		carry(digits)
	}
	if digits[0] == 0 {
		digits, whole = digits[1:], whole-1
	}
	for n := len(digits); n > 0 && digits[n-1] == 0; n-- {
		digits = digits[:n-1]
	}
	return digits, whole
}

// carry adds one to the last digit.
func carry(digits []byte) {
	for n := len(digits) - 1; ; n-- {
		if digits[n]++; digits[n] < 10 {
			return
		}
		digits[n] = 0
	}
}

// appendGroups appends the digits in groups of four, which is how numeric
// travels. The first group begins with lead zeros.
func appendGroups(dst, digits []byte, lead int) []byte {
	group, filled := 0, lead
	for _, digit := range digits {
		group = group*10 + int(digit)
		if filled++; filled == 4 {
			dst = binary.BigEndian.AppendUint16(dst, uint16(group))
			group, filled = 0, 0
		}
	}
	if filled == 0 {
		return dst
	}
	for ; filled < 4; filled++ {
		group *= 10
	}
	return binary.BigEndian.AppendUint16(dst, uint16(group))
}

func appendNumericHeader(dst []byte, groups, weight, sign, scale int) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(groups)<<48|uint64(uint16(weight))<<32|uint64(sign)<<16|uint64(scale))
}
