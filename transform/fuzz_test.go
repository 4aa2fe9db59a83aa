package transform

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// oracle reads src as jsontext does, and gives the values of the fields a, b,
// c.d and c as they stand in it, nil for an absent one.
func oracle(src []byte) (fields [4]jsontext.Value, err error) {
	whole := jsontext.NewDecoder(bytes.NewReader(src), jsontext.AllowDuplicateNames(true))
	v, err := whole.ReadValue()
	if err != nil {
		return fields, err
	}
	v = v.Clone()
	if _, err := whole.ReadToken(); !errors.Is(err, io.EOF) {
		return fields, errors.New("trailing garbage")
	}
	if depth(v) > maxDepth {
		return fields, errors.New("too deep")
	}
	if v.Kind() != '{' {
		return fields, errors.New("not an object")
	}
	if err := members(v, map[string]*jsontext.Value{"a": &fields[0], "b": &fields[1], "c": &fields[3]}); err != nil {
		return fields, err
	}
	switch c := fields[3]; {
	case c == nil:
	case c.Kind() == 'n':
		fields[2] = c
	case c.Kind() != '{':
		return fields, errors.New("c is not an object")
	default:
		err = members(c, map[string]*jsontext.Value{"d": &fields[2]})
	}
	return fields, err
}

// members finds the wanted members of an object.
func members(object jsontext.Value, wanted map[string]*jsontext.Value) error {
	d := jsontext.NewDecoder(bytes.NewReader(object), jsontext.AllowDuplicateNames(true))
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		field := wanted[name.String()]
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		if field == nil {
			continue
		}
		if *field != nil {
			return errors.New("given twice")
		}
		*field = v.Clone()
	}
	return nil
}

// depth counts the levels of a valid value.
func depth(v jsontext.Value) (deepest int) {
	level, quoted := 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// seedTexts are what the comparison begins with.
var seedTexts = []string{
	`{"a":1,"b":"x","c":{"d":[1,2,{"e":null}]},"f":true}`, `{"c":null,"b":"\u00e9\ud83d\ude00\n"}`, `{"\u0061":-0.1e-7 , "b" : "žluť" }`,
	`{"a":1,"a":2}`, `{"c":{"d":1,"d":2}}`, `{"c":[]}`, `[]`, `null`, ` `, "{\"a\":\"\xff\"}", `{"b":"\ud800"}`, `{"a":01}`, `{"a":1}x`,
	strings.Repeat("[", 1001) + strings.Repeat("]", 1001), `{"x":` + strings.Repeat("[", 999) + strings.Repeat("]", 999) + `}`,
	`{"a":"__debezium_unavailable_value"}`, `{"c":{"d":"\\\"\/\b\u0000"},"a":"01234567\u0041"}`,
	`{ "long name that nothing maps" : { "a" : [ true , false ] } , "b" : "0123456789abcdef" , "a" : 12345678901234567890.5E+10 }`,
}

// FuzzScanner compares accepted texts and cells with jsontext's.
func FuzzScanner(f *testing.F) {
	for _, src := range seedTexts {
		f.Add([]byte(src))
	}
	f.Fuzz(compare)
}

// TestScannerAgainstOracle does the same for texts that differ little from
// valid ones.
func TestScannerAgainstOracle(t *testing.T) {
	rnd := newRand(t)
	for range 50_000 {
		compare(t, []byte(mutate(rnd, seedTexts[rnd.IntN(len(seedTexts))])))
	}
}

func compare(t *testing.T, src []byte) {
	t.Helper()
	// A read behind the end must not find spare capacity.
	src = slices.Clip(bytes.Clone(src))
	d, cells := newJSON("a", "=b", "c.d", "=c")
	want, wrong := oracle(src)
	// The second time, the names are where they are expected.
	for range 2 {
		clear(cells)
		err := d.Decode(cells, src)
		if (err == nil) != (wrong == nil) {
			t.Fatalf("%.200q: ours %v, jsontext %v", src, err, wrong)
		}
		if err != nil {
			continue
		}
		for i, v := range cells {
			if !sameCell(t, v, want[i]) {
				t.Fatalf("%q: cell %d is %d %q, want %s", src, i, v.Kind, v.Bytes, want[i])
			}
		}
	}
}

func sameCell(t *testing.T, v Value, want jsontext.Value) bool {
	t.Helper()
	switch {
	case want == nil:
		return v.Kind == Absent
	case want.Kind() == 'n':
		return v.Kind == Null
	case want.Kind() == '"' && unavailable(want[1:len(want)-1], false):
		return v.Kind == Absent
	}
	switch v.Kind {
	case String:
		text, err := jsontext.AppendUnquote(nil, want)
		return err == nil && string(text) == string(v.Bytes) && (mark(v.Num)&hasNUL != 0) == (bytes.IndexByte(text, 0) >= 0)
	case Bool:
		return string(want) == map[uint64]string{0: "false", 1: "true"}[v.Num]
	}
	return string(want) == string(v.Bytes)
}
