package transform

// fault is what makes a text invalid, or unfit for its plan. Scanning returns
// it by value, because an error would have to be built for every call.
type fault uint8

const (
	fine fault = iota
	cutShort
	unexpected
	control
	notUTF8
	badEscape
	loneSurrogate
	badNumber
	tooDeep
	trailing
	givenTwice
	notObject
	refused
)

// String says what is wrong, as reasons do.
func (f fault) String() string {
	return [...]string{
		fine:          "nothing is wrong",
		cutShort:      "it ends too early",
		unexpected:    "unexpected character",
		control:       "control character in a string",
		notUTF8:       "invalid UTF-8",
		badEscape:     "invalid escape sequence",
		loneSurrogate: "lone surrogate",
		badNumber:     "malformed number",
		tooDeep:       "nested deeper than 1000 levels",
		trailing:      "trailing garbage",
		givenTwice:    "the field is given twice",
		notObject:     "not an object, so the path into it leads nowhere",
		refused:       "no column takes it",
	}[f]
}
