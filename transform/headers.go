package transform

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/sinkd/sinkd"
)

// base64Prefix marks what is no text.
const base64Prefix = "base64:"

// appendHeaders appends the record's headers as JSON, in their order, which is
// part of them, as are several of one key: [["key","text"]]. What is not text,
// or looks like our mark, is base64: and its base64; null stays null. The dead
// letters have their headers in the same form.
func appendHeaders(dst []byte, rec *sinkd.Record) []byte {
	dst = append(dst, '[')
	for i := range rec.Headers {
		h := &rec.Headers[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendHeaderText(append(dst, '['), h.Key)
		if h.Value == nil {
			dst = append(dst, ",null]"...)
			continue
		}
		dst = append(appendHeaderText(append(dst, ','), h.Value), ']')
	}
	return append(dst, ']')
}

func appendHeaderText(dst, b []byte) []byte {
	if utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 && !strings.HasPrefix(textOf(b), base64Prefix) {
		return appendQuoted(dst, b)
	}
	dst = append(append(dst, '"'), base64Prefix...)
	return append(base64.StdEncoding.AppendEncode(dst, b), '"')
}
