package transform

// Kind says what a Value holds.
type Kind uint8

// The kinds. Those up to Null have no content.
const (
	// Absent: the record does not have the field.
	Absent Kind = iota
	// Null is an explicit null.
	Null
	// Bool has 0 or 1 in Num.
	Bool
	// Int has an int64 in Num.
	Int
	// Time has microseconds since 2000-01-01 00:00 UTC in Num, an int64. This
	// is Postgres's own epoch: counted from 1970, its last years overflow.
	Time
	// Number has a decimal in JSON's notation in Bytes, and more in Places.
	Number
	// String has valid, unescaped UTF-8 in Bytes, and marks in Num.
	String
	// Bytes are bytes of the record as they are, with nothing known of them.
	Bytes
	// Array has its JSON text in Bytes, and marks in Num.
	Array
	// Object has its JSON text in Bytes, and marks in Num.
	Object
	// JSON has the text of any JSON value in Bytes, and marks in Num: what a
	// column that takes JSON is given in place of the other kinds.
	JSON
)

// Value is a flat cell. Bytes is a view into the record or into the decoder's
// own memory, valid until the next record.
type Value struct {
	Kind Kind
	// Places is 1 + the number of digits behind the point of a Number whose
	// digits are in Num, as an int64. It is 0 where Num has them not.
	Places uint8
	Num    uint64
	Bytes  []byte
}

// Decoder reads one record's value into cells. Each format has one.
type Decoder interface {
	// Decode fills the cells that its plan knows and leaves the others alone.
	// The error's text is the reason of a dead letter.
	Decode(dst []Value, src []byte) error
}

// mark tells what a scan met in a JSON text, so that only texts in question
// are looked at again.
type mark uint64

const (
	// hasEscape: there is a backslash.
	hasEscape mark = 1 << iota
	// hasNUL: there is an escaped NUL, in a string or in a key.
	hasNUL
	// hasLarge: there is a number that may be beyond what jsonb can hold.
	hasLarge
)
