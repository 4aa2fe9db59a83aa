package transform

// largeNumber is the length from which on a number without exponent may have
// more digits than Postgres's numeric takes behind the point.
const largeNumber = 16383

// scanNumber goes over the number that begins at i.
func scanNumber(src []byte, i int) (int, mark, fault) {
	start := i
	if src[i] == '-' {
		i++
	}
	whole := i
	i = digits(src, i)
	if i == whole || (src[whole] == '0' && i > whole+1) {
		return i, 0, numberFault(src, i)
	}
	var m mark
	if i < len(src) && src[i] == '.' {
		i++
		point := i
		if i = digits(src, i); i == point {
			return i, 0, numberFault(src, i)
		}
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		m = hasLarge
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		exp := i
		if i = digits(src, i); i == exp {
			return i, 0, numberFault(src, i)
		}
	}
	if i-start > largeNumber {
		m = hasLarge
	}
	return i, m, fine
}

// digits gives the index behind the digits that begin at i.
func digits(src []byte, i int) int {
	for i < len(src) && src[i]-'0' <= 9 {
		i++
	}
	return i
}

func numberFault(src []byte, i int) fault {
	if i >= len(src) {
		return cutShort
	}
	return badNumber
}
