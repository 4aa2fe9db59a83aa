package transform

import "github.com/sinkd/sinkd"

// shape is how the fields of a key's column sort.
type shape uint8

const (
	// unsigned fields have one length, and sort bytewise.
	unsigned shape = iota
	// signed fields have one length, and begin with a sign bit.
	signed
	// variable fields are of any length, and sort bytewise.
	variable
)

// shapeOf tells how a column's fields sort, where two values of it are equal to
// Postgres if and only if our encoder gives them the same bytes. Not so are:
// numeric without a scale (1.0 = 1.00), real and double precision (0 = -0),
// char(n) (trailing blanks), interval (30 days = 1 month), jsonb, arrays (of
// any of these), and whatever travels as text.
func shapeOf(c *sinkd.Column) (s shape, ok bool) {
	switch c.Type {
	case oidInt2, oidInt4, oidInt8, oidDate, oidTimestamp, oidTimestamptz, oidTime:
		return signed, true
	case oidBool, oidUUID, oidTimetz, oidMacaddr, oidMacaddr8:
		return unsigned, true
	case oidBytea, oidInet, oidCidr:
		return variable, true
	case oidNumeric:
		// The encoder gives all numbers the column's scale, and no zeros
		// around their digits.
		return variable, c.Typmod >= typmodHeader
	case oidText, oidVarchar:
		return variable, !c.Nondeterministic
	}
	return variable, c.Kind == kindEnum
}

// shapesOf gives the shapes of the key's columns, nil if bytes do not decide
// for one of them.
func shapesOf(columns []*sinkd.Column) []shape {
	shapes := make([]shape, len(columns))
	for i, c := range columns {
		var ok bool
		if shapes[i], ok = shapeOf(c); !ok {
			return nil
		}
	}
	return shapes
}
