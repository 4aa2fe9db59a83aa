package transform

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// excerptBytes bounds how much of a value a reason may quote.
const excerptBytes = 40

// misfit is why a value does not fit a column's type; the column is named by
// whoever knows it.
func misfit(v *Value, what string) error {
	return fmt.Errorf("%s %s", excerpt(v), what)
}

// excerpt gives a value as reasons show it: short, and free of what text in
// Postgres cannot hold.
func excerpt(v *Value) string {
	switch v.Kind {
	case Bool:
		return strconv.FormatBool(v.Num != 0)
	case Int:
		return strconv.FormatInt(int64(v.Num), 10)
	case Time:
		return "the time"
	case Array:
		return "an array"
	case Object:
		return "an object"
	case JSON:
		return "the JSON value"
	case Number:
		return shorten(v.Bytes)
	}
	return strconv.Quote(shorten(v.Bytes))
}

// shorten cuts between characters.
func shorten(b []byte) string {
	if len(b) <= excerptBytes {
		return string(b)
	}
	n := excerptBytes - len("...")
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return string(b[:n]) + "..."
}

// errNoNumber is a text that is not a number.
var errNoNumber = errors.New("is not a number")
