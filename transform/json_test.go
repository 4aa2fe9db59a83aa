package transform

import (
	"strconv"
	"strings"
	"testing"
)

// newJSON gives a decoder whose cell n is the field of path n; a path that
// begins with = is wanted as JSON text.
func newJSON(paths ...string) (*jsonDecoder, []Value) {
	d := &jsonDecoder{root: newNode(""), what: "value"}
	for i, path := range paths {
		path, text := strings.CutPrefix(path, "=")
		n := d.root
		if path != "" {
			for _, name := range strings.Split(path, ".") {
				n = n.step(name)
			}
		}
		n.label = `column "` + path + `"`
		if text {
			n.text = i
		} else {
			n.cell = i
		}
	}
	return d, make([]Value, len(paths))
}

func TestDecodeAccepts(t *testing.T) {
	const deep = 999
	for _, c := range []struct {
		name, src string
		want      Value
	}{
		{"string", `{"a":"x"}`, Value{Kind: String, Bytes: []byte("x")}},
		{"empty string", `{"a":""}`, Value{Kind: String, Bytes: []byte("")}},
		{"long string", `{"a":"0123456789abcdef0123456789"}`, Value{Kind: String, Bytes: []byte("0123456789abcdef0123456789")}},
		{"escapes", `{"a":"\"\\\/\b\f\n\r\t\u0041"}`, Value{Kind: String, Num: uint64(hasEscape), Bytes: []byte("\"\\/\b\f\n\r\tA")}},
		{"surrogates", `{"a":"\ud83d\uDE00!"}`, Value{Kind: String, Num: uint64(hasEscape), Bytes: []byte("😀!")}},
		{"utf-8", `{"a":"žluťoučký 漢字 😀"}`, Value{Kind: String, Bytes: []byte("žluťoučký 漢字 😀")}},
		{"nul", `{"a":"\u0000"}`, Value{Kind: String, Num: uint64(hasEscape | hasNUL), Bytes: []byte("\x00")}},
		{"number", `{"a":-0.5e+10}`, Value{Kind: Number, Num: uint64(hasLarge), Bytes: []byte("-0.5e+10")}},
		{"zero", `{"a":0}`, Value{Kind: Number, Bytes: []byte("0")}},
		{"true", `{"a":true}`, Value{Kind: Bool, Num: 1}},
		{"false", `{"a":false}`, Value{Kind: Bool}},
		{"null", `{"a":null}`, Value{Kind: Null, Bytes: []byte("null")}},
		{"array", `{"a":[1, "x", {}]}`, Value{Kind: Array, Bytes: []byte(`[1, "x", {}]`)}},
		{"object", `{"a":{"b" : [ ]}}`, Value{Kind: Object, Bytes: []byte(`{"b" : [ ]}`)}},
		{"white space", " \t\r\n{ \"b\" : 1 ,\n\"a\" : 2 }\n", Value{Kind: Number, Bytes: []byte("2")}},
		{"absent", `{"b":1,"":2,"A":3}`, Value{}},
		{"empty object", `{ }`, Value{}},
		{"escaped name", `{"\u0061":1}`, Value{Kind: Number, Bytes: []byte("1")}},
		{"unmapped twice", `{"b":1,"b":2,"a":3}`, Value{Kind: Number, Bytes: []byte("3")}},
		{"nested name", `{"b":{"a":1}}`, Value{}},
		{"unavailable", `{"a":"__debezium_unavailable_value"}`, Value{}},
		{"deep", `{"b":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `,"a":1}`, Value{Kind: Number, Bytes: []byte("1")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, cells := newJSON("a")
			if err := d.Decode(cells, []byte(c.src)); err != nil {
				t.Fatal(err)
			}
			if got := cells[0]; got.Kind != c.want.Kind || got.Num != c.want.Num || string(got.Bytes) != string(c.want.Bytes) {
				t.Errorf("got %v %d %q, want %v %d %q", got.Kind, got.Num, got.Bytes, c.want.Kind, c.want.Num, c.want.Bytes)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	const deep = 1000
	for _, c := range []struct{ src, reason string }{
		{``, "it is empty"},
		{` `, "it ends too early"},
		{`x`, "unexpected character"},
		{"\xef\xbb\xbf{}", "unexpected character"},
		{`[]`, "value is not a JSON object"},
		{`"a"`, "value is not a JSON object"},
		{`null`, "value is not a JSON object"},
		{`{`, "it ends too early"},
		{`{"a"`, "it ends too early"},
		{`{"a":`, "it ends too early"},
		{`{"a":1`, "it ends too early"},
		{`{"a":1,`, "it ends too early"},
		{`{"a":1,}`, "unexpected character"},
		{`{"a" 1}`, "unexpected character"},
		{`{a:1}`, "unexpected character"},
		{`{'a':1}`, "unexpected character"},
		{`{"a":1}x`, "trailing garbage"},
		{`{"a":1}{}`, "trailing garbage"},
		{`{"a":1 "b":2}`, "unexpected character"},
		{`{"b":[1,]}`, "unexpected character"},
		{`{"b":[1 2]}`, "unexpected character"},
		{`{"b":[1}`, "unexpected character"},
		{`{"b":{]}`, "unexpected character"},
		{`{"a":tru}`, `column "a": field a: unexpected character`},
		{`{"a":tr`, "it ends too early"},
		{`{"a":True}`, "unexpected character"},
		{`{"a":NaN}`, "unexpected character"},
		{`{"a":01}`, "malformed number"},
		{`{"a":-}`, "malformed number"},
		{`{"a":+1}`, "unexpected character"},
		{`{"a":.5}`, "unexpected character"},
		{`{"a":5.}`, "malformed number"},
		{`{"a":1e}`, "malformed number"},
		{`{"a":1e+}`, "malformed number"},
		{`{"a":0x1}`, "unexpected character"},
		{`{"a":1e`, "it ends too early"},
		{`{"a":"x`, "it ends too early"},
		{"{\"a\":\"\n\"}", "control character in a string"},
		{"{\"b\":\"12345678\x1f\"}", "control character in a string"},
		{"{\"a\":\"\xff\"}", `column "a": field a: invalid UTF-8`},
		{"{\"b\":\"\xc0\xaf\"}", "value is not JSON: invalid UTF-8"},
		{"{\"a\":\"\xed\xa0\x80\"}", "invalid UTF-8"},
		{"{\"a\":\"\xf4\x90\x80\x80\"}", "invalid UTF-8"},
		{"{\"b\":\"12345678\xe2\x82\"}", "invalid UTF-8"},
		{"{\"\xff\":1}", "invalid UTF-8"},
		{`{"a":"\x"}`, "invalid escape sequence"},
		{`{"a":"\u12g4"}`, "invalid escape sequence"},
		{`{"a":"\u12`, "it ends too early"},
		{`{"a":"\ud800"}`, "lone surrogate"},
		{`{"a":"\udc00"}`, "lone surrogate"},
		{`{"b":"\ud800\u0041"}`, "lone surrogate"},
		{`{"b":"\ud800\ud800"}`, "lone surrogate"},
		{`{"\ud800":1}`, "lone surrogate"},
		{`{"a":1,"a":1}`, `column "a": field a: the field is given twice`},
		{`{"a":1,"\u0061":1}`, "the field is given twice"},
		{`{"a":null,"a":null}`, "the field is given twice"},
		{`{"b":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `}`, "nested deeper than 1000 levels"},
		{`{"a":` + strings.Repeat(`{"x":`, deep) + "1" + strings.Repeat("}", deep) + `}`, "nested deeper than 1000 levels"},
	} {
		d, cells := newJSON("a")
		if err := d.Decode(cells, []byte(c.src)); err == nil {
			t.Errorf("%.60s: accepted", c.src)
		} else if !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%.60s: %q, want %q", c.src, err, c.reason)
		}
	}
}

func TestDecodePaths(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{`{"address":{"city":"Brno","zip":{"code":1}}}`, "Brno|1|{\"city\":\"Brno\",\"zip\":{\"code\":1}}|"},
		{`{"address":{"zip":{"code":1}},"other":[{"city":2}]}`, "absent|1|{\"zip\":{\"code\":1}}|"},
		{`{"address":null}`, "null|null|null|"},
		{`{"address":{"zip":null}}`, "absent|null|{\"zip\":null}|"},
		{`{"x":1}`, "absent|absent|absent|"},
		{`{"address":[]}`, `column "address.city": field address: not an object`},
		{`{"address":{"zip":5}}`, `column "address.zip.code": field address.zip: not an object`},
		{`{"address":{},"address":{}}`, "field address: the field is given twice"},
		{`{"address":{"city":1,"city":2}}`, "field address.city: the field is given twice"},
	} {
		d, cells := newJSON("address.city", "address.zip.code", "=address")
		d.root.step("address").label = `column "address.city"`
		d.root.step("address").step("zip").label = `column "address.zip.code"`
		err := d.Decode(cells, []byte(c.src))
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.src, err)
			}
			continue
		}
		got := ""
		for _, v := range cells {
			switch v.Kind {
			case Absent:
				got += "absent|"
			case Null:
				got += "null|"
			default:
				got += string(v.Bytes) + "|"
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.src, got, c.want)
		}
	}
}

// TestDecodeExpectsNoEscapes: a name that was written with escapes does not make
// the same without them valid.
func TestDecodeExpectsNoEscapes(t *testing.T) {
	for _, name := range []string{`a"b`, `a\`, "a\nb"} {
		d, cells := newJSON(name, "c")
		for range 3 {
			if err := d.Decode(cells, []byte(`{`+strconv.Quote(name)+`:1,"c":2,"other":3}`)); err != nil || string(cells[0].Bytes) != "1" {
				t.Fatalf("%q: %v", name, err)
			}
			if err := d.Decode(cells, []byte(`{"`+name+`":1,"c":2,"other":3}`)); err == nil {
				t.Errorf("%q: accepted without escapes", name)
			}
		}
	}
}

// TestDecodeLearnsNames feeds changing orders and unknown names to one decoder.
func TestDecodeLearnsNames(t *testing.T) {
	d, cells := newJSON("a", "b", "c")
	for _, src := range []string{
		`{"a":1,"b":2,"c":3}`, `{"c":3,"b":2,"a":1}`, `{"x":0,"a":1,"y":0,"b":2,"z":{"a":9},"c":3}`,
		`{"a":1,"b":2,"c":3}`, `{"b":2,"x":[],"c":3,"a":1}`, `{"\u0061":1,"b":2,"":7,"c":3}`,
	} {
		for range 3 {
			clear(cells)
			if err := d.Decode(cells, []byte(src)); err != nil {
				t.Fatal(src, err)
			}
			for i, want := range []string{"1", "2", "3"} {
				if string(cells[i].Bytes) != want {
					t.Errorf("%s: cell %d is %q", src, i, cells[i].Bytes)
				}
			}
		}
	}
	for i := range 2 * maxEntries {
		clear(cells)
		src := `{"a":1,"unknown` + strings.Repeat("x", i) + `":0,"b":2,"c":3}`
		if err := d.Decode(cells, []byte(src)); err != nil || string(cells[2].Bytes) != "3" {
			t.Fatal(src, err)
		}
	}
	if n := len(d.root.entries); n > maxEntries {
		t.Errorf("%d names learned", n)
	}
}
