package transform

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape appends the text that a string's valid content stands for.
func unescape(dst, src []byte) []byte {
	for {
		n := bytes.IndexByte(src, '\\')
		if n < 0 {
			return append(dst, src...)
		}
		dst = append(dst, src[:n]...)
		c := src[n+1]
		src = src[n+2:]
		if c != 'u' {
			dst = append(dst, unescaped(c))
			continue
		}
		r, _ := hex4(src, 0)
		src = src[4:]
		if utf16.IsSurrogate(r) {
			low, _ := hex4(src, 2)
			r = utf16.DecodeRune(r, low)
			src = src[6:]
		}
		dst = utf8.AppendRune(dst, r)
	}
}

// unescaped gives the character that a one-letter escape stands for.
func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}
