package transform

import "bytes"

// columnKind is the kind of column that a JSON value is best kept in.
type columnKind uint8

const (
	// kindNone: null says nothing about a type.
	kindNone columnKind = iota
	kindBoolean
	kindBigint
	// kindNumeric is for all other numbers: it keeps every digit, which double
	// precision does not.
	kindNumeric
	// kindText is for all strings. Those that look like times are left to
	// whoever knows that all of them will.
	kindText
	kindJSONB
)

// String gives the Postgres type.
func (k columnKind) String() string {
	return [...]string{"", "boolean", "bigint", "numeric", "text", "jsonb"}[k]
}

// columnKindOf infers the kind of column from a valid JSON value. A number with
// a fraction or an exponent is no bigint even where it is whole: who writes 1.0
// will write 1.5.
func columnKindOf(value []byte) columnKind {
	switch c := value[0]; {
	case c == 'n', c == '"' && unavailable(value[1:len(value)-1], false):
		return kindNone
	case c == 't', c == 'f':
		return kindBoolean
	case c == '"':
		return kindText
	case c == '{', c == '[':
		return kindJSONB
	case bytes.ContainsAny(value, ".eE"):
		return kindNumeric
	}
	if d, ok := parseDecimal(value); ok {
		if n, _, ok := d.integer(); ok && (n < 1<<63 || d.negative && n == 1<<63) {
			return kindBigint
		}
	}
	return kindNumeric
}

// with gives the type that takes values of the kind and those that the other
// type is for. Numbers and booleans fit text, which objects do not.
func (k columnKind) with(other string) string {
	own := k.String()
	switch {
	case own == other:
		return own
	case own == "jsonb", other == "jsonb":
		return "jsonb"
	case own == "bigint" && other == "numeric", own == "numeric" && other == "bigint":
		return "numeric"
	}
	return "text"
}
