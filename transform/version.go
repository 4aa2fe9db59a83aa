package transform

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"

	"github.com/sinkd/sinkd"
)

// compareFunc compares two values of a type in their binary form, as Postgres
// does.
type compareFunc func(a, b []byte) int

// versionTypes are those that a version may have, as messages list them.
const versionTypes = "smallint, integer, bigint, numeric, real, double precision, date, time, timestamp, timestamptz, uuid"

// comparerOf gives the comparison of a column's values, nil if its type cannot
// be a version.
func comparerOf(c *sinkd.Column) compareFunc {
	switch c.Type {
	case oidInt2, oidInt4, oidInt8, oidDate, oidTime, oidTimestamp, oidTimestamptz:
		return compareSigned
	case oidUUID:
		return bytes.Compare
	case oidFloat4, oidFloat8:
		return compareFloats
	case oidNumeric:
		return compareNumerics
	}
	return nil
}

// compare compares the version of a tuple with that of the key's row. The
// version stands behind the key.
func (t *target) compare(k *folded, tuple, key []byte) int {
	x, _ := cutField(tuple[2+len(key):])
	y, _ := cutField(t.keyed(k)[len(key):])
	return t.newer(x[4:], y[4:])
}

// compareSigned compares integers of one size.
func compareSigned(a, b []byte) int {
	if c := cmp.Compare(int8(a[0]), int8(b[0])); c != 0 {
		return c
	}
	return bytes.Compare(a[1:], b[1:])
}

// compareFloats has NaN as the largest value, equal to itself.
func compareFloats(a, b []byte) int {
	x, y := floatOf(a), floatOf(b)
	// Go orders NaN before all others.
	if x != x || y != y {
		return cmp.Compare(y, x)
	}
	return cmp.Compare(x, y)
}

func floatOf(b []byte) float64 {
	if len(b) == 4 {
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b))
}

// compareNumerics compares by rank, weight and groups of digits, which begin
// and end with one that is not 0; the scale says only how many zeros are shown.
func compareNumerics(a, b []byte) int {
	rank := numericRank(a)
	if c := cmp.Compare(rank, numericRank(b)); c != 0 {
		return c
	}
	var c int
	switch rank {
	case rankPositive, rankNegative:
		if c = compareSigned(a[2:4], b[2:4]); c == 0 {
			c = bytes.Compare(a[8:], b[8:])
		}
	}
	if rank == rankNegative {
		return -c
	}
	return c
}

// The ranks of numerics. Those of one rank are equal, unless they are positive
// or negative.
const (
	rankNegInfinity = iota
	rankNegative
	rankZero
	rankPositive
	rankInfinity
	rankNaN
)

func numericRank(b []byte) int {
	switch binary.BigEndian.Uint16(b[4:]) {
	case numericNaN:
		return rankNaN
	case numericInfinity:
		return rankInfinity
	case numericNegInfinity:
		return rankNegInfinity
	}
	switch {
	case len(b) == 8:
		return rankZero
	case binary.BigEndian.Uint16(b[4:]) == numericNegative:
		return rankNegative
	}
	return rankPositive
}
