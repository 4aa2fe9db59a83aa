package transform

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
)

// timeEncoder encodes date, timestamp and timestamptz: strings in ISO 8601,
// numbers as epoch numbers.
type timeEncoder struct {
	// unit is the unit of epoch numbers, as a power of ten of microseconds.
	unit int
	// date tells that the column is a date.
	date bool
}

func (e *timeEncoder) append(dst []byte, v *Value) ([]byte, error) {
	if t, ok := e.instant(v); ok && !e.date {
		return binary.BigEndian.AppendUint64(dst, uint64(t)), nil
	} else if ok {
		return binary.BigEndian.AppendUint32(dst, uint32(floorDiv(t, microsOfDay))), nil
	}
	m, ok := e.moment(v)
	switch {
	case !ok:
		return dst, misfit(v, "is not a time in ISO 8601")
	case e.date:
		if dst, ok = m.appendDate(dst); !ok {
			return dst, misfit(v, "is out of range for date")
		}
	default:
		if dst, ok = m.appendTime(dst); !ok {
			return dst, misfit(v, "is out of range for timestamp")
		}
	}
	return dst, nil
}

// instant gives the time where it is at hand, or in one of the two forms that
// nearly all times have: to make a moment of it would cost more than to read it.
func (e *timeEncoder) instant(v *Value) (micros int64, ok bool) {
	switch {
	case v.Kind == String:
		return plainTime(v.Bytes)
	case v.Kind == Time:
		micros = int64(v.Num)
	case v.Kind == Number && v.Places == 1 && e.unit >= 0:
		// A negative number is far too large here.
		high, low := bits.Mul64(v.Num, powersOfTen[e.unit])
		if high != 0 || low > lastTime {
			return 0, false
		}
		micros = int64(low) + unixEpoch
	default:
		return 0, false
	}
	return micros, micros >= firstTime && micros <= lastTime
}

func (e *timeEncoder) moment(v *Value) (moment, bool) {
	switch v.Kind {
	case Time:
		days := floorDiv(int64(v.Num), microsOfDay)
		return moment{days: int(days), micros: int64(v.Num) - days*microsOfDay}, true
	case Int:
		var text [20]byte
		return parseEpoch(strconv.AppendInt(text[:0], int64(v.Num), 10), e.unit)
	case Number:
		return parseEpoch(v.Bytes, e.unit)
	case String, Bytes:
		return parseMoment(v.Bytes)
	}
	return moment{}, false
}

// moment is a day, a time of that day, and how far both are from UTC.
type moment struct {
	// days since 2000-01-01, as written.
	days int
	// micros since midnight; 24:00 and a leap second reach into the next day.
	micros int64
	// offset is what the written time is ahead of UTC, in seconds.
	offset int
	// infinite is -1 or 1 for the infinities.
	infinite int
	// timed tells that a time of the day was written.
	timed bool
}

// appendTime appends the instant, as timestamp and timestamptz travel.
func (m *moment) appendTime(dst []byte) ([]byte, bool) {
	switch {
	case m.infinite > 0:
		return binary.BigEndian.AppendUint64(dst, math.MaxInt64), true
	case m.infinite < 0:
		return binary.BigEndian.AppendUint64(dst, 1<<63), true
	case m.days < firstDay-1 || m.days > lastTime/microsOfDay+1:
		return dst, false
	}
	t := int64(m.days)*microsOfDay + m.micros - int64(m.offset)*microsOfSecond
	return binary.BigEndian.AppendUint64(dst, uint64(t)), t >= firstTime && t <= lastTime
}

// appendDate appends the day as it is written: like Postgres, whatever the
// offset says.
func (m *moment) appendDate(dst []byte) ([]byte, bool) {
	switch {
	case m.infinite > 0:
		return binary.BigEndian.AppendUint32(dst, math.MaxInt32), true
	case m.infinite < 0:
		return binary.BigEndian.AppendUint32(dst, 1<<31), true
	}
	return binary.BigEndian.AppendUint32(dst, uint32(m.days)), m.days >= firstDay && m.days <= lastDay
}

// parseEpoch reads an epoch number. Digits finer than a microsecond are
// truncated towards the past, as those of a written time are.
func parseEpoch(text []byte, unit int) (moment, bool) {
	if n, ok := shortInt(text); ok && unit >= 0 {
		if most := math.MaxInt64 / int64(powersOfTen[unit]); n <= most && n >= -most {
			return unixMoment(n * int64(powersOfTen[unit])), true
		}
	}
	d, ok := parseDecimal(text)
	if !ok {
		return moment{}, false
	}
	d.point += unit
	mag, exact, ok := d.integer()
	if !ok || mag > math.MaxInt64 {
		return moment{days: math.MaxInt32}, true
	}
	micros := int64(mag)
	if d.negative {
		micros = -micros
		if !exact {
			micros--
		}
	}
	return unixMoment(micros), true
}

// unixMoment takes microseconds since 1970 apart.
func unixMoment(micros int64) moment {
	days := floorDiv(micros, microsOfDay)
	return moment{days: int(days) + unixEpochDays, micros: micros - days*microsOfDay}
}
