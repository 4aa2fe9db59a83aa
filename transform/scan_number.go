package transform

import (
	"encoding/binary"
	"math/bits"
)

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

// maxShort is the most digits of a number that an int64 holds whatever they are.
const maxShort = 18

// shortNumber reads the number that begins at i, if it has few digits and no
// exponent, as nearly all have, together with its value: its digits, and 1 + how
// many of them are behind the point. Those are 0 for all other numbers, and for
// those at the end of the text, which scanNumber goes over.
func shortNumber(src []byte, i int) (n int64, places, end int) {
	start := i
	if src[i] == '-' {
		i++
	}
	n, size := leadingDigits(word(src, i))
	if size == 8 {
		low, more := leadingDigits(word(src, i+8))
		n, size = n*tens(more)+low, 8+more
	}
	if size == 0 || size > 1 && src[i] == '0' {
		return 0, 0, start
	}
	i += size
	places = 1
	if i < len(src) && src[i] == '.' {
		low, more := leadingDigits(word(src, i+1))
		if more == 0 {
			return 0, 0, start
		}
		n, places, i = n*tens(more)+low, 1+more, i+1+more
	}
	if i-start > maxShort || i >= len(src) || src[i]-'0' <= 9 || src[i]|0x20 == 'e' {
		return 0, 0, start
	}
	if src[start] == '-' {
		n = -n
	}
	return n, places, i
}

// word gives the eight bytes that begin at i, zeros where they are fewer.
func word(src []byte, i int) uint64 {
	if i < 0 || i > len(src)-8 {
		return 0
	}
	return binary.LittleEndian.Uint64(src[i:])
}

// leadingDigits gives the number with which eight bytes begin, and how many
// digits it has.
func leadingDigits(x uint64) (n int64, size int) {
	x ^= eachByte * '0'
	size = bits.TrailingZeros64((x|(x+eachByte*(0x80-10)))&highBits) >> 3
	return int64(eightDigits(x << (64 - 8*size))), size
}

func tens(n int) int64 { return int64(powersOfTen[n]) }
