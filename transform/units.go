package transform

// unitNamed gives the unit that a word of Postgres's intervals names, in any
// case.
func unitNamed(word string) (unit, bool) {
	var lower [16]byte
	if len(word) > len(lower) {
		return unit{}, false
	}
	for i := range word {
		lower[i] = word[i] | 0x20
	}
	switch string(lower[:len(word)]) {
	case "us", "usec", "usecs", "usecond", "useconds", "microsecond", "microseconds":
		return unit{micros: 1, mark: markMicro}, true
	case "ms", "msec", "msecs", "msecond", "mseconds", "millisecond", "milliseconds":
		return unit{micros: 1000, mark: markMilli}, true
	case "s", "sec", "secs", "second", "seconds":
		return unit{micros: microsOfSecond, mark: markSecond}, true
	case "m", "min", "mins", "minute", "minutes":
		return unit{micros: minute, mark: markMinute}, true
	case "h", "hr", "hrs", "hour", "hours":
		return unit{micros: hour, mark: markHour}, true
	case "d", "day", "days":
		return unit{days: 1, mark: markDay}, true
	case "w", "week", "weeks":
		return unit{days: 7, mark: markWeek}, true
	}
	return longUnit(string(lower[:len(word)]))
}

// longUnit gives the units that are whole months.
func longUnit(word string) (unit, bool) {
	switch word {
	case "mon", "mons", "month", "months":
		return unit{months: 1, mark: markMonth}, true
	case "y", "yr", "yrs", "year", "years":
		return unit{months: 12, mark: markYear}, true
	case "decade", "decades", "dec", "decs":
		return unit{months: 120, mark: markDecade}, true
	case "century", "centuries", "cent", "c":
		return unit{months: 1200, mark: markCentury}, true
	case "millennium", "millennia", "mil", "mils":
		return unit{months: 12000, mark: markMillennium}, true
	}
	return unit{}, false
}
