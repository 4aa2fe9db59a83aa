package transform

// parseDesignators reads the part of an ISO 8601 duration behind the P:
// 1Y2M3W4DT5H6M7.8S, any of them, each with a sign of its own.
func parseDesignators(text []byte) (s span, ok bool) {
	c := clock{text: text}
	timed := false
	for c.i < len(c.text) {
		if !timed && c.next('T') {
			timed = true
		}
		if c.peek() == '+' {
			return s, false
		}
		a, ok := c.amount()
		if !ok {
			return s, false
		}
		u, ok := designated(c.peek(), timed)
		if !ok || !s.add(a, u) {
			return s, false
		}
		c.i++
	}
	return s, len(text) > 0
}

// designated gives the unit that a letter stands for, before or behind the T.
func designated(letter byte, timed bool) (unit, bool) {
	switch {
	case !timed && letter == 'Y':
		return unit{months: 12}, true
	case !timed && letter == 'M':
		return unit{months: 1}, true
	case !timed && letter == 'W':
		return unit{days: 7}, true
	case !timed && letter == 'D':
		return unit{days: 1}, true
	case timed && letter == 'H':
		return unit{micros: hour}, true
	case timed && letter == 'M':
		return unit{micros: minute}, true
	case timed && letter == 'S':
		return unit{micros: microsOfSecond}, true
	}
	return unit{}, false
}
