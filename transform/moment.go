package transform

// clock reads a written time from left to right. What it reads is ISO 8601
// with the liberties that Postgres takes, and nothing that depends on settings
// (1/2/2024), on the present (now, today) or on a time zone database.
type clock struct {
	text []byte
	i    int
	m    moment
}

// parseMoment reads date[T or space][time][offset][BC or AD].
func parseMoment(text []byte) (moment, bool) {
	c := clock{text: trim(text)}
	if len(c.text) == 0 {
		return c.m, false
	}
	if c.text[0]-'0' > 9 {
		return specialMoment(c.text)
	}
	year, month, day, ok := c.date()
	if !ok || !c.time() || !c.zone() {
		return c.m, false
	}
	if bc, ok := c.era(); !ok || year == 0 {
		return c.m, false
	} else if bc {
		year = 1 - year
	}
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return c.m, false
	}
	c.m.days = daysOf(year, month, day)
	return c.m, c.i == len(c.text)
}

// specialMoment reads the words that always mean the same.
func specialMoment(text []byte) (moment, bool) {
	switch {
	case equalFold(text, "infinity"):
		return moment{infinite: 1}, true
	case equalFold(text, "-infinity"):
		return moment{infinite: -1}, true
	case equalFold(text, "epoch"):
		return moment{days: unixEpochDays}, true
	}
	return moment{}, false
}

// date reads 2024-01-31, 2024/01/31 or 20240131. Years have three to seven
// digits.
func (c *clock) date() (year, month, day int, ok bool) {
	n, size := c.number()
	separator := c.peek()
	if size == 8 && separator != '-' && separator != '/' {
		return n / 10000, n / 100 % 100, n % 100, true
	}
	if size < 3 || size > 7 || separator != '-' && separator != '/' {
		return 0, 0, 0, false
	}
	c.i++
	month, size = c.number()
	if size < 1 || size > 2 || !c.next(separator) {
		return 0, 0, 0, false
	}
	day, size = c.number()
	return n, month, day, size >= 1 && size <= 2
}

// time reads what follows the date, if it is a time.
func (c *clock) time() bool {
	spaces := c.spaces()
	marked := c.next('T') || c.next('t')
	if marked {
		c.spaces()
	}
	if c.peek()-'0' > 9 {
		// A minus sign without a time before it belongs to the date.
		return !marked && (spaces > 0 || c.peek() != '-')
	}
	return (marked || spaces > 0) && c.hours()
}

// hours reads 10:11:12.5, 10:11, 101112.5 or 1011.
func (c *clock) hours() bool {
	hour, size := c.number()
	var minute, second int
	seconds := false
	switch {
	case size >= 1 && size <= 2 && c.next(':'):
		if minute, size = c.number(); size < 1 || size > 2 {
			return false
		}
		if seconds = c.next(':'); seconds {
			if second, size = c.number(); size < 1 || size > 2 {
				return false
			}
		}
	case size == 4:
		hour, minute = hour/100, hour%100
	case size == 6:
		hour, minute, second = hour/10000, hour/100%100, hour%100
		seconds = true
	default:
		return false
	}
	// What a fraction of minutes is, ISO 8601 and Postgres disagree.
	if !seconds && c.peek() == '.' {
		return false
	}
	fraction, ok := c.fraction()
	c.m.micros = int64((hour*60+minute)*60+second)*microsOfSecond + fraction
	c.m.timed = true
	return ok && minute < 60 && second <= 60 && c.m.micros <= microsOfDay
}

// fraction reads the digits behind a point, if there is one, as microseconds;
// finer ones are dropped.
func (c *clock) fraction() (micros int64, ok bool) {
	if !c.next('.') {
		return 0, true
	}
	start := c.i
	unit := int64(microsOfSecond)
	for ; c.peek()-'0' <= 9; c.i++ {
		unit /= 10
		micros += int64(c.text[c.i]-'0') * unit
	}
	return micros, c.i > start
}

// zone reads Z, UTC, GMT or an offset: +02, +2, +0230, +02:30, +02:30:15.
func (c *clock) zone() bool {
	c.spaces()
	if c.next('Z') || c.next('z') || c.word("utc") || c.word("gmt") {
		return (c.peek()|0x20)-'a' >= 26 // else it would be the beginning of a longer word
	}
	sign := 1
	if c.next('-') {
		sign = -1
	} else if !c.next('+') {
		return true
	}
	hour, size := c.number()
	var minute, second int
	if size == 3 || size == 4 {
		hour, minute = hour/100, hour%100
	} else if size < 1 || size > 2 {
		return false
	} else if c.next(':') {
		if minute, size = c.number(); size != 2 {
			return false
		}
		if c.next(':') {
			if second, size = c.number(); size != 2 {
				return false
			}
		}
	}
	c.m.offset = sign * ((hour*60+minute)*60 + second)
	return hour < 16 && minute < 60 && second < 60
}

// era reads BC or AD.
func (c *clock) era() (bc, ok bool) {
	if c.i == len(c.text) {
		return false, true
	}
	c.spaces()
	bc = c.word("bc")
	return bc, bc || c.word("ad")
}

// number reads digits; a size beyond 9 is not a number that anything takes.
func (c *clock) number() (n, size int) {
	start := c.i
	for ; c.peek()-'0' <= 9 && c.i-start < 10; c.i++ {
		n = n*10 + int(c.text[c.i]-'0')
	}
	return n, c.i - start
}

// word goes over an ASCII word, in any case.
func (c *clock) word(w string) bool {
	if len(c.text)-c.i < len(w) || !equalFold(c.text[c.i:c.i+len(w)], w) {
		return false
	}
	c.i += len(w)
	return true
}

func (c *clock) spaces() int {
	start := c.i
	for c.i < len(c.text) && isSpace(c.text[c.i]) {
		c.i++
	}
	return c.i - start
}

// next goes over the byte if it is the next one.
func (c *clock) next(b byte) bool {
	if c.peek() != b {
		return false
	}
	c.i++
	return true
}

// peek gives the next byte, 0 at the end.
func (c *clock) peek() byte {
	if c.i < len(c.text) {
		return c.text[c.i]
	}
	return 0
}
