package transform

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"unicode/utf8"
)

// textEncoder encodes text, varchar(n) and char(n).
type textEncoder struct {
	// limit is the most characters, 0 for any number.
	limit int
	// strip tells that NUL characters are taken out in place of being refused.
	strip bool
	// objects tells that objects are taken, too.
	objects bool
}

func (e *textEncoder) append(dst []byte, v *Value) ([]byte, error) {
	start := len(dst)
	switch v.Kind {
	case String:
		if mark(v.Num)&hasNUL == 0 {
			dst = append(dst, v.Bytes...)
			break
		}
		if !e.strip {
			return dst, misfit(v, "holds a NUL character, which Postgres's text cannot; SINKD_NUL=strip takes it out")
		}
		dst = appendWithout(dst, v.Bytes, 0)
	case Number, Array:
		dst = append(dst, v.Bytes...)
	case Object:
		if !e.objects {
			return dst, misfit(v, "does not fit; a json or jsonb column takes it")
		}
		dst = append(dst, v.Bytes...)
	case Bool:
		dst = strconv.AppendBool(dst, v.Num != 0)
	case Int:
		dst = strconv.AppendInt(dst, int64(v.Num), 10)
	case Time:
		dst = appendRFC3339(dst, int64(v.Num))
	case Bytes:
		dst = appendReadable(dst, v.Bytes)
	default:
		return dst, misfit(v, "does not fit; a json or jsonb column takes it")
	}
	if e.limit == 0 || len(dst)-start <= e.limit {
		return dst, nil
	}
	return e.cut(dst, start, v)
}

// cut takes away spaces beyond the limit, as Postgres does; anything else
// there is refused.
func (e *textEncoder) cut(dst []byte, start int, v *Value) ([]byte, error) {
	end := start
	for n := 0; n < e.limit && end < len(dst); n++ {
		_, size := utf8.DecodeRune(dst[end:])
		end += size
	}
	if len(bytes.TrimLeft(dst[end:], " ")) > 0 {
		return dst[:start], misfit(v, "is longer than "+strconv.Itoa(e.limit)+" characters")
	}
	return dst[:end], nil
}

// appendReadable appends bytes that may be anything: as they are where text
// can hold them, else as \x and hexadecimal digits.
func appendReadable(dst, b []byte) []byte {
	if utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 {
		return append(dst, b...)
	}
	return hex.AppendEncode(append(dst, `\x`...), b)
}

func appendWithout(dst, src []byte, c byte) []byte {
	for {
		n := bytes.IndexByte(src, c)
		if n < 0 {
			return append(dst, src...)
		}
		dst = append(dst, src[:n]...)
		src = src[n+1:]
	}
}
