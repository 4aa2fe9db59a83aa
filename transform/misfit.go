package transform

import "errors"

// misfit is why a value does not fit a column's type; the column is named by
// whoever knows it. It tells the kind of the value and never the value: reasons
// are logged, and people group by them.
func misfit(v *Value, what string) error {
	return errors.New(v.Kind.noun() + " that " + what)
}

// noun names a value of the kind, as reasons do.
func (k Kind) noun() string {
	switch k {
	case Bool:
		return "a boolean"
	case Int, Number:
		return "a number"
	case Time:
		return "a time"
	case String:
		return "a string"
	case Bytes:
		return "a byte string"
	case Array:
		return "an array"
	case Object:
		return "an object"
	case JSON:
		return "a JSON value"
	}
	return "nothing"
}

// errNoNumber is a text that is not a number.
var errNoNumber = errors.New("is not a number")
