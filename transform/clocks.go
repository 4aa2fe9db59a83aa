package transform

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
)

// clockEncoder encodes time and timetz: strings in ISO 8601, a time of the day
// with or without the date, numbers as what passed since midnight.
type clockEncoder struct {
	// unit is the unit of numbers, as a power of ten of microseconds.
	unit int
	// zoned tells that the column is a timetz, which keeps the offset.
	zoned bool
}

func (e *clockEncoder) append(dst []byte, v *Value) ([]byte, error) {
	micros, offset, ok := e.read(v)
	switch {
	case !ok:
		return dst, misfit(v, "is not a time of the day in ISO 8601")
	case micros < 0 || micros > microsOfDay:
		return dst, misfit(v, "is out of range for a time of the day")
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(micros))
	if e.zoned {
		// Postgres counts west of Greenwich.
		dst = binary.BigEndian.AppendUint32(dst, uint32(-offset))
	}
	return dst, nil
}

func (e *clockEncoder) read(v *Value) (micros int64, offset int, ok bool) {
	var text [20]byte
	switch v.Kind {
	case Time:
		return int64(v.Num) - floorDiv(int64(v.Num), microsOfDay)*microsOfDay, 0, true
	case Int:
		return sinceMidnight(strconv.AppendInt(text[:0], int64(v.Num), 10), e.unit)
	case Number:
		return sinceMidnight(v.Bytes, e.unit)
	case String, Bytes:
		return parseClock(v.Bytes)
	}
	return 0, 0, false
}

// sinceMidnight reads a number as what passed since midnight.
func sinceMidnight(text []byte, unit int) (micros int64, offset int, ok bool) {
	m, ok := parseEpoch(text, unit)
	switch m.days {
	case unixEpochDays:
		return m.micros, 0, ok
	case unixEpochDays + 1:
		return m.micros + microsOfDay, 0, ok
	}
	return math.MaxInt64, 0, ok
}

// parseClock reads [T]time[offset], time AM, time PM, or a date with a time,
// whose date does not matter. Without an offset it is UTC.
func parseClock(text []byte) (micros int64, offset int, ok bool) {
	c := clock{text: trim(text)}
	if c.alone() && c.i == len(c.text) {
		return c.m.micros, c.m.offset, true
	}
	m, ok := parseMoment(text)
	return m.micros, m.offset, ok && m.timed && m.days >= firstDay && m.days <= lastTime/microsOfDay
}

// alone reads a time without a date.
func (c *clock) alone() bool {
	marked := c.next('T') || c.next('t')
	if !c.hours() {
		return false
	}
	if !marked && c.peek() == '-' && bytes.IndexByte(c.text[:c.i], ':') < 0 {
		return false // 2024-01 is rather a date
	}
	if found, ok := c.half(); found {
		return ok
	}
	return c.zone()
}

// half reads AM or PM.
func (c *clock) half() (found, ok bool) {
	const noon = microsOfDay / 2
	c.spaces()
	morning := c.word("am")
	if !morning && !c.word("pm") {
		return false, false
	}
	h := c.m.micros / hour
	switch {
	case h == 12 && morning:
		c.m.micros -= noon
	case h < 12 && !morning:
		c.m.micros += noon
	}
	return true, h <= 12
}
