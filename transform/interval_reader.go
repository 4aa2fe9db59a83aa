package transform

import (
	"math"
	"strconv"
	"strings"
)

// intervalReader reads Postgres's own notation of intervals: amounts with
// units, a time, "ago" at the end.
type intervalReader struct {
	clock
	narrowed bool
	span     span
	// seen has the marks of the units that were read.
	seen uint16
}

func (r *intervalReader) read() (span, bool) {
	_ = r.next('@')
	r.gap()
	if r.i == len(r.text) {
		return span{}, false
	}
	for r.i < len(r.text) {
		if r.seen != 0 && r.i+3 == len(r.text) && r.word("ago") {
			s := r.span
			return span{months: -s.months, days: -s.days, micros: -s.micros}, true
		}
		if !r.field() {
			return span{}, false
		}
	}
	return r.span, true
}

// gap goes over white space and commas.
func (r *intervalReader) gap() (wide bool) {
	start := r.i
	for r.spaces() > 0 || r.next(',') {
	}
	return r.i > start
}

// field reads a time, or an amount and its unit, and the gap behind it.
func (r *intervalReader) field() bool {
	start := r.i
	if r.hoursOf() {
		return r.use(markClock) && (r.gap() || r.i == len(r.text))
	}
	r.i = start
	a, ok := r.amount()
	if !ok {
		return false
	}
	wide := r.gap()
	name := r.letters()
	if len(name) == 0 {
		return r.bare(a, wide)
	}
	u, ok := unitNamed(textOf(name))
	if !ok || !r.add(a, u) {
		return false
	}
	// Postgres reads 1h30m, but not 1hour30minutes.
	joined := len(name) == 1 && strings.IndexByte("dhmsy", name[0]|0x20) >= 0 && r.peek()-'0' <= 9
	return r.gap() || joined || r.i == len(r.text)
}

// bare takes a number without a unit: before a time it counts days, at the end
// seconds.
func (r *intervalReader) bare(a amount, wide bool) bool {
	switch {
	case r.narrowed:
		return false
	case r.i == len(r.text):
		return r.add(a, unit{micros: microsOfSecond, mark: markSecond})
	case !wide || !r.add(a, unit{days: 1, mark: markDay}):
		return false
	}
	return r.hoursOf() && r.use(markClock) && (r.gap() || r.i == len(r.text))
}

// add adds an amount of a unit that was not there yet.
func (r *intervalReader) add(a amount, u unit) bool {
	if u.mark == markSecond && a.fraction != 0 {
		u.mark = markSeconds
	}
	return r.use(u.mark) && r.span.add(a, u)
}

func (r *intervalReader) use(mark uint16) bool {
	if r.seen&mark != 0 {
		return false
	}
	r.seen |= mark
	return true
}

// letters goes over a word.
func (r *intervalReader) letters() []byte {
	start := r.i
	for (r.peek()|0x20)-'a' <= 'z'-'a' {
		r.i++
	}
	return r.text[start:r.i]
}

// hoursOf reads [sign]hours:minutes[:seconds[.fraction]] into the span.
func (r *intervalReader) hoursOf() bool {
	negative := r.sign()
	h, size := r.count()
	if size == 0 || !r.next(':') {
		return false
	}
	m, size := r.number()
	if size < 1 || size > 2 || m > 59 {
		return false
	}
	var s int
	var fraction float64
	switch {
	case r.next(':'):
		if s, size = r.number(); size < 1 || size > 2 || s > 60 {
			return false
		}
		var ok bool
		if fraction, ok = r.decimals(); !ok {
			return false
		}
	case r.narrowed:
		return false
	}
	micros := times(h, hour) + int64(m)*minute + int64(s)*microsOfSecond + int64(math.RoundToEven(fraction*microsOfSecond))
	if negative {
		micros = -micros
	}
	r.span.micros = near(r.span.micros + micros)
	return true
}

// amount reads a number with sign and fraction.
func (c *clock) amount() (a amount, ok bool) {
	negative := c.sign()
	whole, size := c.count()
	if size == 0 {
		return a, false
	}
	a.whole = whole
	if a.fraction, ok = c.decimals(); negative {
		a.whole, a.fraction = -a.whole, -a.fraction
	}
	return a, ok
}

func (c *clock) sign() (negative bool) {
	if c.next('-') {
		return true
	}
	_ = c.next('+')
	return false
}

// count reads digits; what is too large becomes far.
func (c *clock) count() (n int64, size int) {
	start := c.i
	for ; c.peek()-'0' <= 9; c.i++ {
		if n >= far/10 {
			n = far
			continue
		}
		n = n*10 + int64(c.text[c.i]-'0')
	}
	return n, c.i - start
}

// decimals reads a fraction, if there is one.
func (c *clock) decimals() (float64, bool) {
	start := c.i
	if !c.next('.') {
		return 0, true
	}
	for c.peek()-'0' <= 9 {
		c.i++
	}
	if c.i == start+1 {
		return 0, false
	}
	f, err := strconv.ParseFloat(textOf(c.text[start:c.i]), 64)
	return f, err == nil
}
