package transform

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// special has a high bit set for each of the eight bytes that a string cannot
// simply go over: quote, backslash, control character, non-ASCII. Above the
// lowest such byte, bits may be set in error.
func special(x uint64) uint64 {
	// With its second bit turned, the quote is next to the control characters.
	below := (x ^ eachByte*2) - eachByte*('"'-1)
	slash := (x ^ eachByte*'\\') - eachByte
	return (below | slash | x) & highBits
}

// scanString goes on behind the opening quote and gives the index of the
// closing one.
func scanString(src []byte, i int) (int, mark, fault) {
	i = words(src, i)
	if i < len(src) && src[i] == '"' {
		return i, 0, fine
	}
	return scanMixed(src, i)
}

// words gives the index of the first special byte from i on, or of the last
// bytes, where they are fewer than eight. It is small enough to be inlined, and
// that i is not negative spares the loop its bounds checks.
func words(src []byte, i int) int {
	if i < 0 {
		return i
	}
	for ; i <= len(src)-8; i += 8 {
		if stop := special(binary.LittleEndian.Uint64(src[i:])); stop != 0 {
			return i + bits.TrailingZeros64(stop)>>3
		}
	}
	return i
}

// scanMixed is scanString for what is not plain to its end.
func scanMixed(src []byte, i int) (int, mark, fault) {
	var seen, m mark
	var f fault
	for {
		i = plain(src, i)
		if i >= len(src) {
			return i, 0, cutShort
		}
		if src[i] == '"' {
			return i, seen, fine
		}
		if i, m, f = scanSpecial(src, i); f != fine {
			return i, 0, f
		}
		seen |= m
	}
}

// plain gives the index of the first special byte from i on.
func plain(src []byte, i int) int {
	for i = words(src, i); i < len(src); i++ {
		if c := src[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
	}
	return i
}

// scanSpecial goes over what is neither plain nor the closing quote.
func scanSpecial(src []byte, i int) (int, mark, fault) {
	switch c := src[i]; {
	case c == '\\':
		return scanEscape(src, i+1)
	case c < ' ':
		return i, 0, control
	}
	for i < len(src) && src[i] >= utf8.RuneSelf {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n <= 1 {
			return i, 0, notUTF8
		}
		i += n
	}
	return i, 0, fine
}

// scanEscape goes on behind a backslash.
func scanEscape(src []byte, i int) (int, mark, fault) {
	if i >= len(src) {
		return i, 0, cutShort
	}
	switch src[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1, hasEscape, fine
	case 'u':
	default:
		return i, 0, badEscape
	}
	r, f := hex4(src, i+1)
	switch {
	case f != fine:
		return i, 0, f
	case r == 0:
		return i + 5, hasEscape | hasNUL, fine
	case r < surrogates || r > lastSurrogate:
		return i + 5, hasEscape, fine
	case r >= lowSurrogates:
		return i, 0, loneSurrogate
	}
	if low := i + 5; low+1 >= len(src) || src[low] != '\\' || src[low+1] != 'u' {
		return i, 0, loneSurrogate
	}
	if r, f = hex4(src, i+7); f != fine {
		return i, 0, f
	}
	if r < lowSurrogates || r > lastSurrogate {
		return i, 0, loneSurrogate
	}
	return i + 11, hasEscape, fine
}

// UTF-16 writes a rune beyond 0xFFFF as a high and a low surrogate.
const (
	surrogates    = 0xD800
	lowSurrogates = 0xDC00
	lastSurrogate = 0xDFFF
)

// hex4 reads four hexadecimal digits.
func hex4(src []byte, i int) (rune, fault) {
	if len(src)-i < 4 {
		return 0, cutShort
	}
	var r rune
	for _, c := range src[i : i+4] {
		n := nibble(c)
		if n > 15 {
			return 0, badEscape
		}
		r = r<<4 | rune(n)
	}
	return r, fine
}

// hexDigits has the value of each hexadecimal digit, and one more, so that 0 is
// what is none.
var hexDigits = [256]byte{
	'0': 1, '1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8, '8': 9, '9': 10,
	'a': 11, 'b': 12, 'c': 13, 'd': 14, 'e': 15, 'f': 16,
	'A': 11, 'B': 12, 'C': 13, 'D': 14, 'E': 15, 'F': 16,
}

// nibble gives the value of a hexadecimal digit, 255 if it is none.
func nibble(c byte) byte { return hexDigits[c] - 1 }
