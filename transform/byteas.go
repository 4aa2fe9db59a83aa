package transform

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
)

// base64Alphabets are the ways to write base64: plain or for URLs, with or
// without padding.
var base64Alphabets = [...]*base64.Encoding{
	base64.StdEncoding.Strict(), base64.RawStdEncoding.Strict(),
	base64.URLEncoding.Strict(), base64.RawURLEncoding.Strict(),
}

// appendBytea encodes bytea: from a string in base64 or as \x and hexadecimal
// digits, from the record's own bytes as they are.
func appendBytea(dst []byte, v *Value) ([]byte, error) {
	switch v.Kind {
	case Bytes:
		return append(dst, v.Bytes...), nil
	case String:
	default:
		return dst, misfit(v, "is not a string of base64 or of \\x and hexadecimal digits")
	}
	start := len(dst)
	var err error
	if b := v.Bytes; len(b) >= 2 && b[0] == '\\' && b[1] == 'x' {
		dst, err = hex.AppendDecode(dst, b[2:])
	} else {
		dst, err = alphabetOf(b).AppendDecode(dst, b)
	}
	if err != nil {
		return dst[:start], misfit(v, "is neither base64 nor \\x and hexadecimal digits")
	}
	return dst, nil
}

func alphabetOf(b []byte) *base64.Encoding {
	n := 0
	if bytes.ContainsAny(b, "-_") {
		n = 2
	}
	if len(b)%4 != 0 && b[len(b)-1] != '=' {
		n++
	}
	return base64Alphabets[n]
}
