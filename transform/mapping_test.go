package transform

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sinkd/sinkd"
)

var update = flag.Bool("update", false, "write the goldens anew")

// mappedType is a column type of the table of values and types.
type mappedType struct {
	// name is the type as DDL writes it.
	name string
	// own are values beyond everyValue.
	own string
}

// everyValue goes into a column of each type.
const everyValue = `null
true
false
0
1
-1
1.0
1.5
1e3
32768
2147483648
9223372036854775808
1e400
1700000000123
""
" "
"abc"
"1"
" 12 "
"1.5"
"true"
"NaN"
"a\u0000b"
"2024-01-31T10:11:12.1234567+02:00"
"2024-02-30"
[]
[1,2]
[1,null]
[[1,2],[3,4]]
[[1],[2,3]]
["a","b\"\\c"]
[true]
{}
{"a":1}
"{1,2}"
"__debezium_unavailable_value"`

// mappedTypes are the types of the table.
func mappedTypes() []mappedType {
	const times = `"2024-01-31"
"2024-01-31 10:11"
"20240131T101112Z"
"2024-01-31T24:00:00Z"
"2024-01-31T10:11:12"
"2024-01-31T23:30:00-05:00"
"2024-01-31T10:11:12 Europe/Paris"
"1/31/2024"
"infinity"
"epoch"
"0044-03-15 BC"
-0.0001
1700000000123.4567
1e30`
	return []mappedType{
		{"boolean", `"t" "YES" "on" "of" "o" "0" "maybe"`},
		{"smallint", `32767 -32768 -32769 "32768" "+7" "1e3" "007" 3276700e-2`},
		{"integer", `2147483647 -2147483649 "-2147483648" "1e3"`},
		{"bigint", `9223372036854775807 -9223372036854775808 9007199254740993 1e-400 0e99999999999 "9223372036854775808"`},
		{"real", `0.1 16777217 1e39 1e-46 "Infinity" "-inf" "1e39"`},
		{"double precision", `0.1 1e309 1e-324 "infinity" "1e309" 123456789.123456789`},
		{"numeric", `0.1000 -0.0 1e-16383 1e-16384 1e131072 123456789012345678901234567890.123456789 "inf" "-Infinity" ".5" "5."`},
		{"numeric(6,2)", `9999.994 9999.995 -0.005 0.0049 "1.005" "inf" "12345"`},
		{"text", `"\ud83d\ude00\t"`},
		{"character varying(3)", `"abcd" "žlu" "abc  " 1234`},
		{"character(3)", `"abcd" "a" "abc  "`},
		{"json", `{"b":1.50,"a":[1]} "\u0000" 1e999999 "1e5"`},
		{"jsonb", `{"b":1.50,"a":[1],"b":2} {"\u0000":1} {"a":1e999999}`},
		{"bytea", `"aGk=" "aGk" "_-8=" "\\x00ff" "\\x0" "no!" "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="`},
		{"uuid", `"f47ac10b-58cc-4372-a567-0e02b2c3d479" "F47AC10B58CC4372A5670E02B2C3D479" "{f47ac10b-58cc-4372-a567-0e02b2c3d479}" "f47ac10b-58cc"`},
		{"date", times},
		{"timestamp without time zone", times},
		{"timestamp with time zone", times},
		{"timestamp(3) with time zone", times},
		{"time without time zone", `"10:11:12.1234567" "24:00:00" "24:00:01" "T101112" "10:11" "25:00:00" "10:11:12+02:00" "allballs" 36000000 86400000 86400001`},
		{"time(0) without time zone", `"10:11:12.5"`},
		{"time with time zone", `"10:11:12.5+02:00" "10:11:12-15:59:59" "10:11:12+16:00" "10:11:12Z" "10:11:12" 36000000`},
		{"interval", `"P1Y2M3DT4H5M6.789S" "PT-90S" "P1.5D" "P1.5M" "P" "1 day 02:00:00"
"1 year 2 mons -3 days ago"
"26:00:00"
"1 04:05:06"
"1h30m"
"1 fortnight"
"P178956971Y"`},
		{"interval day to minute", `"PT90S" "04:05" "P1Y1DT1H1M1S"`},
		{"inet", `"10.1.2.3" "10.1.2.3/8" "::1" "2001:db8::/32" "10.1" "10.1.2.3/33" "fe80::1%eth0"`},
		{"cidr", `"10.0.0.0/8" "10.1.2.3/8" "10.1.2.3" "::/0" "::1/64"`},
		{"macaddr", `"08:00:2b:01:02:03" "08-00-2B-01-02-03" "08002b010203" "0800.2b01.0203" "08:00:2b:ff:fe:01:02:03"`},
		{"macaddr8", `"08:00:2b:01:02:03" "08:00:2b:ff:fe:01:02:03" "08002bfffe010203"`},
		{"mood", `"new" "done" "NEW" "1" "so so" "new "`},
		{"positive", `7 "7" -7`},
		{"integers", `[3,4] [0] [-1]`},
		{"moods", `["new"] ["bad"]`},
		{"boolean[]", `[true,"f"] [2]`},
		{"smallint[]", `[32768] ["3"] [1.0]`},
		{"integer[]", `[[[[[[1]]]]]] [[[[[[[1]]]]]]] [[],[1]] [[1],null] ["7",null] [7000000000] [{"a":1}]`},
		{"bigint[]", `[9007199254740993]`},
		{"real[]", `[0.1,"NaN"]`},
		{"double precision[]", `[0.1,"-inf"]`},
		{"numeric[]", `[0.10,"12345678901234567890.5"]`},
		{"numeric(6,2)[]", `[1.005,9999.995] [0.125]`},
		{"text[]", `["","NULL","a,b","{}"] [[1,"x"]] ["\u0000"] ["\u00e9"] [{"a":1}]`},
		{"character varying(3)[]", `["abc","abc "] ["abcd"]`},
		{"json[]", `[{"a":[1]},[1],"x"]`},
		{"jsonb[]", `[{"a":[1]},[1],"x",null] ["\u0000"] [1e999999]`},
		{"bytea[]", `["aGk=","\\x00"] ["!"]`},
		{"uuid[]", `["f47ac10b-58cc-4372-a567-0e02b2c3d479"]`},
		{"date[]", `["2024-01-31",0]`},
		{"timestamp with time zone[]", `["2024-01-31T10:11:12+02:00",1700000000123]`},
		{"time without time zone[]", `["10:11"]`},
		{"interval[]", `["PT1H","1 day"] [5]`},
		{"inet[]", `["::1","10.0.0.1"]`},
		{"mood[]", `["new",null,"done"] ["bad"]`},
		{"point", `"(1,2)" "1,2" "(1)"`},
		{"box", `"(1,2),(3,4)"`},
		{"box[]", `["(1,2),(3,4)","(0,0),(1,1)"]`},
		{"int4range", `"[1,5)" "empty" "[5,1]"`},
		{"int4multirange", `"{[1,2),[5,7)}"`},
		{"int4range[]", `["[1,5)",null]`},
		{"money", `"$12.34" 12.34`},
		{"bit(3)", `"101" "10" 101`},
		{"xml", `"<a/>" "<a>"`},
		{"tsvector", `"a b:2"`},
		{"oid", `7 "7" -1`},
		{"name", `"n"`},
		{"pair", `"(1,x)" "(1)" "(x,1)"`},
		{"pair[]", `["(1,x)",null]`},
		{"positive[]", `[7,null] [-7]`},
		{"pg_lsn", `"16/B374D848"`},
		{"jsonpath", `"$.a"`},
	}
}

// mappingSQL makes the types that Postgres does not bring.
const mappingSQL = `
CREATE TYPE mood AS ENUM ('new', 'done', '1');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN integers AS integer[] CHECK (0 < ALL (VALUE));
CREATE DOMAIN moods AS mood[];`

// values gives the JSON values that go into a column of the type.
func (m *mappedType) values() []string {
	var values []string
	d := json.NewDecoder(strings.NewReader(everyValue + " " + m.own))
	for d.More() {
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			panic(err)
		}
		if !slices.Contains(values, string(value)) {
			values = append(values, string(value))
		}
	}
	return values
}

// TestMapping holds what each JSON value becomes in a column of each type: the
// golden has it pair by pair, and where INSERT of the same text makes something
// else of it, that too. Which differences there may be, differs says.
func TestMapping(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.exec(mappingSQL)
	var out strings.Builder
	pairs := 0
	for _, m := range mappedTypes() {
		if strings.HasPrefix(m.name, "interval") && !s.rounds() {
			t.Skip("PostgreSQL 14 reads fractions and large numbers in intervals in other ways")
		}
		values := m.values()
		pairs += len(values)
		outcomes := s.outcomes(&m, values)
		inserted := s.inserted(m.name, texts(m.name, values))
		out.WriteString("== " + m.name + "\n")
		for i, value := range values {
			line := value + "\t" + outcomes[i]
			if !same(value, outcomes[i], inserted[i]) {
				line += "\tINSERT: " + inserted[i]
				if why := differs(m.name, value, outcomes[i]); why == "" {
					t.Errorf("%s: %s: %s, and INSERT makes %s", m.name, value, outcomes[i], inserted[i])
				}
			}
			out.WriteString(line + "\n")
		}
	}
	if pairs < 400 {
		t.Errorf("%d pairs", pairs)
	}
	golden(t, "testdata/mapping.txt", out.String())
	document(t, readOutcomes(out.String()))
}

// outcomes gives what becomes of the values: the text of what lands, "bad: "
// and the reason without column and type, or "refused" and Postgres's code.
func (s *server) outcomes(m *mappedType, values []string) []string {
	s.t.Helper()
	out := s.copied(m.name, &sinkd.Route{}, values)
	for i, got := range out {
		reason, bad := strings.CutPrefix(got, "bad: ")
		if !bad {
			continue
		}
		what, named := strings.CutPrefix(reason, "column v ("+m.name+"): ")
		if !named || what == "" {
			s.t.Errorf("%s: %s: the reason names not column and type: %s", m.name, values[i], reason)
		}
		out[i] = "bad: " + what
	}
	return out
}

// same tells whether INSERT of the value's text comes to the same.
func same(value, got, inserted string) bool {
	refused := strings.HasPrefix(inserted, "refused") || strings.Contains(value, `\u0000`)
	if strings.HasPrefix(got, "bad: ") {
		return refused
	}
	return got == inserted || value == "null"
}

// texts gives the texts of values as a person would write them into an INSERT
// for the type: strings without quotes, arrays as Postgres writes them, all
// else as it is.
func texts(typ string, values []string) []string {
	array := strings.HasSuffix(typ, "[]") || typ == "integers" || typ == "moods"
	delimiter := ","
	if typ == "box[]" {
		delimiter = ";"
	}
	out := make([]string, len(values))
	for i, value := range values {
		var v any
		if err := json.Unmarshal([]byte(value), &v); err != nil && !strings.Contains(value, "e") {
			panic(value + ": " + err.Error())
		}
		out[i] = value
		switch v := v.(type) {
		case string:
			out[i] = v
		case []any:
			if array {
				out[i] = literal(json.RawMessage(value), delimiter)
			}
		}
		out[i] = strings.ReplaceAll(out[i], "\x00", "?") // no text of Postgres holds a NUL
	}
	return out
}

// literal writes a JSON array as Postgres writes arrays.
func literal(value json.RawMessage, delimiter string) string {
	var elements []json.RawMessage
	if err := json.Unmarshal(value, &elements); err != nil {
		panic(err)
	}
	out := make([]string, len(elements))
	for i, element := range elements {
		var text string
		switch element[0] {
		case '[':
			out[i] = literal(element, delimiter)
			continue
		case 'n':
			out[i] = "NULL"
			continue
		case '"':
			if err := json.Unmarshal(element, &text); err != nil {
				panic(err)
			}
		default:
			text = string(element)
		}
		out[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	return "{" + strings.Join(out, delimiter) + "}"
}

// golden compares with a file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	have, lines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(have), len(lines)) {
		if i >= len(have) || i >= len(lines) || have[i] != lines[i] {
			t.Fatalf("%s: line %d differs, run make generate and look at what changed: %q", path, i+1, have[min(i, len(have)-1)])
		}
	}
}
