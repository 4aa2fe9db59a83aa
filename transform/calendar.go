package transform

import (
	"time"

	"github.com/sinkd/sinkd"
)

// Times are microseconds since 2000-01-01 00:00 UTC, Postgres's epoch.
const (
	microsOfSecond = 1_000_000
	microsOfDay    = 86_400 * microsOfSecond
	// unixEpoch is Unix's epoch: 10,957 days before Postgres's.
	unixEpoch     = -10_957 * microsOfDay
	unixEpochDays = -10_957
	// firstTime and lastTime bound a timestamp: 4714-11-24 BC, and the end of
	// the year 294276.
	firstTime = -211_813_488_000_000_000
	lastTime  = 9_223_371_331_200_000_000 - 1
	// firstDay and lastDay bound a date: 4714-11-24 BC, 5874897-12-31.
	firstDay = -2_451_545
	lastDay  = 2_145_031_948
)

// daysOf gives the days from 2000-01-01 to a day of the proleptic Gregorian
// calendar, whose year 0 is 1 BC. Years begin in March here, so that a leap day
// is the last of its year. (After Hinnant's days_from_civil.)
func daysOf(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	// Division truncates, so the millennia before the era are added first.
	const before = 10_000_000
	century := int(uint(year+before)/100) - before/100
	return year*365 + year>>2 - century + century>>2 + int(uint(153*month-457)/5) + day - 730_426
}

// daysIn gives the number of days of a month.
func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// floorDiv divides towards minus infinity.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// firstSecond and lastSecond bound a timestamp, in seconds from 1970 on: in
// microseconds the last ones overflow.
const (
	firstSecond = (firstTime - unixEpoch) / microsOfSecond
	lastSecond  = lastTime/microsOfSecond - unixEpoch/microsOfSecond
)

// spanOf gives the earliest and the latest timestamp of records that Postgres can
// express: others must not keep the range from being recorded.
func spanOf(r sinkd.Records) (first, last time.Time) {
	return r.Span(time.Unix(firstSecond, 0), time.Unix(lastSecond, 0))
}

// timeOf gives a Go time as Postgres counts, finer digits truncated, and
// whether Postgres has such a time.
func timeOf(t time.Time) (micros int64, ok bool) {
	s := t.Unix()
	if s < firstSecond || s > lastSecond {
		return 0, false
	}
	return (s+unixEpoch/microsOfSecond)*microsOfSecond + int64(t.Nanosecond()/1000), true
}

// epochOf gives a time as a number in the unit, counted from 1970.
func epochOf(micros int64, unit int) int64 {
	micros -= unixEpoch
	switch unit {
	case unitSecond:
		return floorDiv(micros, microsOfSecond)
	case unitMilli:
		return floorDiv(micros, 1000)
	case unitNano:
		return micros * 1000
	}
	return micros
}

// Units of epoch numbers, as powers of ten of microseconds.
const (
	unitSecond = 6
	unitMilli  = 3
	unitMicro  = 0
	unitNano   = -3
)

// appendRFC3339 appends a time as text.
func appendRFC3339(dst []byte, micros int64) []byte {
	return time.UnixMicro(micros-unixEpoch).UTC().AppendFormat(dst, time.RFC3339Nano)
}
