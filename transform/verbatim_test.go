package transform

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/sinkd/sinkd"
)

// TestVerbatim: what is copied is what the column's encoder makes of it, and
// nothing is copied that needs a look.
func TestVerbatim(t *testing.T) {
	values := []Value{{}, {Kind: Null}, {Kind: Bool, Num: 1}, {Kind: Int, Num: 7}, {Kind: Number, Bytes: []byte("1.5")}, {Kind: Array, Bytes: []byte("[1]")}}
	for _, text := range []string{"", "a", "abc", "abcd", "abc  ", "žlu", "žluť", `{"a":1e999999}`, "a\x00b"} {
		for _, kind := range []Kind{String, Bytes, Object, JSON} {
			for _, m := range []mark{0, hasEscape, hasEscape | hasNUL, hasLarge} {
				values = append(values, Value{Kind: kind, Num: uint64(m), Bytes: []byte(text)})
			}
		}
	}
	copied := 0
	for _, c := range []sinkd.Column{
		{Type: oidText, Typmod: -1},
		{Type: oidVarchar, Typmod: -1},
		{Type: oidVarchar, Typmod: typmodHeader + 3},
		{Type: oidBPChar, Typmod: typmodHeader + 3},
		{Type: oidJSON, Typmod: -1},
		{Type: oidJSONB, Typmod: -1},
		{Type: anEnum, Kind: kindEnum, Typmod: -1},
		{Type: oidInt8, Typmod: -1},
		{Type: anArray, Elem: oidText, Typmod: -1},
		{Type: oidUUID, Typmod: -1},
		{Type: oidBytea, Typmod: -1},
	} {
		put, direct := encoderOf(&c, &sinkd.Route{}), verbatimOf(&c)
		for _, v := range values {
			if !direct.takes(&v) {
				continue
			}
			copied++
			want, err := put([]byte{0, 0, 0, 0}, &v)
			binary.BigEndian.PutUint32(want, uint32(len(want)-4))
			if got := direct.append(nil, v.Bytes); err != nil || !bytes.Equal(got, want) {
				t.Errorf("type %d, %s %q with marks %d: %x, want %x %v", c.Type, v.Kind.noun(), v.Bytes, v.Num, got, want, err)
			}
		}
	}
	if copied == 0 {
		t.Error("nothing was copied")
	}
}
