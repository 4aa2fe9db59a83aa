package transform

import (
	"encoding/binary"
	"math"

	"github.com/sinkd/sinkd"
)

// verbatim tells which values a column takes as the bytes that they are, so that
// no encoder needs to be called for them; it says the same of them as the
// column's encoder would.
type verbatim struct {
	// kind is theirs, below more than they have bytes: 0 where a column takes
	// none.
	kind  Kind
	below int
	// version is put before them on the wire, 0 for nothing.
	version byte
}

func verbatimOf(c *sinkd.Column) verbatim {
	switch {
	case c.Elem != 0:
	case c.Kind == kindEnum:
		return verbatim{kind: String, below: math.MaxInt}
	case c.Type == oidText, c.Type == oidVarchar, c.Type == oidBPChar:
		if c.Typmod > typmodHeader {
			// So many characters are at least so many bytes.
			return verbatim{kind: String, below: int(c.Typmod) - typmodHeader + 1}
		}
		return verbatim{kind: String, below: math.MaxInt}
	case c.Type == oidJSON:
		return verbatim{kind: JSON, below: math.MaxInt}
	case c.Type == oidJSONB:
		return verbatim{kind: JSON, below: math.MaxInt, version: jsonbVersion}
	}
	return verbatim{}
}

// takes tells whether the value is one of them: a string or JSON without marks
// that call for a look.
func (t *verbatim) takes(v *Value) bool {
	return v.Kind == t.kind && len(v.Bytes) < t.below && v.Num&^uint64(hasEscape) == 0
}

// append appends one of them with its length.
func (t *verbatim) append(dst, b []byte) []byte {
	if t.version == 0 {
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(b))), b...)
	}
	return append(append(binary.BigEndian.AppendUint32(dst, uint32(1+len(b))), t.version), b...)
}
