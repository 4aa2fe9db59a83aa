package transform

import (
	"encoding/binary"
	"math"
)

// intervalEncoder encodes interval from strings: ISO 8601 with designators
// (P1DT2H), Postgres's own notation (1 day 02:00:00), a time alone (26:00:00).
type intervalEncoder struct {
	// narrowed tells that the column keeps some fields only, as interval day to
	// minute does: then numbers without a unit mean other things.
	narrowed bool
}

// narrowed tells whether an interval's type modifier names fields.
func narrowed(typmod int32) bool {
	const all = 0x7fff
	return typmod >= 0 && typmod>>16&all != all
}

// span is an interval: its three parts are never made into one another.
type span struct {
	months, days, micros int64
}

func (e *intervalEncoder) append(dst []byte, v *Value) ([]byte, error) {
	switch v.Kind {
	case String, Bytes:
	default:
		return dst, misfit(v, "is not a string with an interval, such as PT90S or 1 day 02:00:00")
	}
	s, ok := e.parse(v.Bytes)
	switch {
	case !ok:
		return dst, misfit(v, "is not an interval in ISO 8601 (PT90S) or in PostgreSQL's notation (1 day 02:00:00)")
	case !s.fits():
		return dst, misfit(v, "is out of range for interval")
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.micros))
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.days))
	return binary.BigEndian.AppendUint32(dst, uint32(s.months)), nil
}

func (e *intervalEncoder) parse(text []byte) (span, bool) {
	if len(text) > 0 && text[0] == 'P' {
		return parseDesignators(text[1:])
	}
	r := intervalReader{clock: clock{text: trim(text)}, narrowed: e.narrowed}
	return r.read()
}

// fits tells whether Postgres can hold the interval. Its outermost values are
// left out: they stand for the infinities in some versions.
func (s *span) fits() bool {
	return s.months > math.MinInt32 && s.months < math.MaxInt32 &&
		s.days > math.MinInt32 && s.days < math.MaxInt32 &&
		s.micros > -far && s.micros < far
}

// far bounds the parts; two of them can be added without overflow.
const far = math.MaxInt64 / 2

// amount is a written number: its whole part, and its fraction as Postgres
// reads it, both with the sign.
type amount struct {
	whole    int64
	fraction float64
}

// add adds so many of the unit, and tells whether that is possible: months and
// years with a fraction are not, as versions of Postgres differ in them.
func (s *span) add(a amount, u unit) bool {
	switch {
	case u.months > 0:
		s.months = near(s.months + times(a.whole, u.months))
		return a.fraction == 0
	case u.days > 0:
		days := a.fraction * float64(u.days)
		s.days = near(s.days + times(a.whole, u.days) + int64(days))
		s.micros = near(s.micros + rounded((days-float64(int64(days)))*microsOfDay))
	default:
		s.micros = near(s.micros + times(a.whole, u.micros) + rounded(a.fraction*float64(u.micros)))
	}
	return true
}

// near brings what is out of range to where it can be added to.
func near(n int64) int64 { return min(max(n, -far), far) }

// times multiplies without overflow.
func times(n, by int64) int64 {
	if n > far/by || n < -far/by {
		return far * (n>>63 | 1)
	}
	return n * by
}

// rounded rounds to the nearest whole, halves towards zero, as Postgres does.
func rounded(f float64) int64 {
	whole, rest := math.Modf(f)
	switch {
	case rest > 0.5:
		whole++
	case rest < -0.5:
		whole--
	}
	return int64(whole)
}

// unit is a unit of intervals, in one of the three parts.
type unit struct {
	months, days, micros int64
	// mark has a bit of its own for each unit, to notice one that comes twice.
	mark uint16
}

const (
	minute = 60 * microsOfSecond
	hour   = 60 * minute
)

// The marks of units that others include.
const (
	markMicro = 1 << iota
	markMilli
	markSecond
	markMinute
	markHour
	markDay
	markWeek
	markMonth
	markYear
	markDecade
	markCentury
	markMillennium
	markClock   = markHour | markMinute | markSeconds
	markSeconds = markSecond | markMilli | markMicro
)
