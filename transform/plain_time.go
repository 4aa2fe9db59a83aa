package transform

import "encoding/binary"

// plainTime reads 2024-01-31T10:11:12.123456Z with or without fraction, the form
// that nearly all times have, eight bytes at a time. Whatever else a time may be
// written like is parseMoment's.
func plainTime(b []byte) (micros int64, ok bool) {
	const (
		dateForm, datePlaces = 0x2d30302d30303030, 0x000f0f000f0f0f0f // 0000-00-
		hourForm, hourPlaces = 0x30303a3030543030, 0x0f0f000f0f000f0f // 00T00:00
	)
	if len(b) < 20 || b[len(b)-1] != 'Z' || b[16] != ':' {
		return 0, false
	}
	date, clock := binary.LittleEndian.Uint64(b)^dateForm, binary.LittleEndian.Uint64(b[8:])^hourForm
	if !onlyDigits(date, datePlaces) || !onlyDigits(clock, hourPlaces) {
		return 0, false
	}
	date, clock = pairs(date), pairs(clock)
	year, month, day := int(date&0xff*100+date>>16&0xff), int(date>>40&0xff), int(clock&0xff)
	hour, minute, second := clock>>24&0xff, clock>>48&0xff, twoDigits(b[17], b[18])
	if year < 1 || month-1 > 11 || month < 1 || day < 1 || day > 28 && day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	fraction, ok := plainFraction(b)
	return int64(daysOf(year, month, day))*microsOfDay + int64((hour*60+minute)*60+second)*microsOfSecond + fraction, ok
}

// plainFraction reads what stands behind the seconds and in front of the Z;
// what is finer than a microsecond is dropped.
func plainFraction(b []byte) (micros int64, ok bool) {
	if len(b) == 20 {
		return 0, true
	}
	end := len(b) - 1
	for ; end > 26; end-- {
		if b[end-1]-'0' > 9 {
			return 0, false
		}
	}
	// The digits are moved to the first of six places, zeros behind them.
	const first = 20
	x := (binary.LittleEndian.Uint64(b[end-8:]) ^ eachByte*'0') >> (8 * (first + 8 - end)) << 16
	return int64(eightDigits(x)), b[19] == '.' && end > first && onlyDigits(x, eachByte*0x0f)
}

// onlyDigits tells whether each byte is at most 9 where places has 15, and 0
// where it has 0.
func onlyDigits(x, places uint64) bool { return (x|(x+eachByte*6&places))&^places == 0 }

// pairs gives each byte the number that it makes, as a digit, with the digit
// behind it.
func pairs(x uint64) uint64 { return x*10 + x>>8 }

// eightDigits gives the number whose digits the bytes are, the lowest byte the
// first of them.
func eightDigits(x uint64) uint64 {
	const pair = 0x000000ff000000ff
	x = pairs(x)
	return (x&pair*(100+1_000_000<<32) + x>>16&pair*(1+10_000<<32)) >> 32
}

// twoDigits gives a number of two digits; for anything else it is too large for
// the clock.
func twoDigits(high, low byte) uint64 {
	if high -= '0'; high > 9 || low-'0' > 9 {
		return 100
	}
	return uint64(high)*10 + uint64(low-'0')
}
