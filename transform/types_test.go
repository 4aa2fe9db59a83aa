package transform

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/sinkd/sinkd"
)

// TestStringsAsPostgres: a string lands as INSERT of the same text does, and is
// bad where INSERT refuses it.
func TestStringsAsPostgres(t *testing.T) {
	t.Parallel()
	numbers := []string{
		"0", "-0", "1", "+1", "-1", " 12 ", "\t7\n", "00012", "127", "32767", "32768", "-32768", "-32769", "2147483647", "2147483648", "-2147483648",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "00000000000000000000000000001",
		"1.0", "1.5", ".5", "5.", ".", "", " ", "-", "+", "1e3", "1E+3", "1e-3", "1e", "e1", "1e3.5", "1.2.3", "--1", "1 2", "abc", "0.1e1",
		"NaN", "nan", "Infinity", "-infinity", "+inf", "inf", "-inf", "in", "infinit", "1e308", "1e309", "-1e309", "1e38", "1e39", "3.4028235e38", "1e-45", "1e-46",
		"1e-323", "1e-324", "1e-400", "0e-400", "0e99999", "0.1", "123456789.987654321", "1e131071", "1e131072", "1e-16383", "1e-16384", "0e-16384",
		"1" + strings.Repeat("0", 131071), "1" + strings.Repeat("0", 131072), "0." + strings.Repeat("3", 16383), "0." + strings.Repeat("3", 16384),
		"99999999999999999999999999999999999999.99999999999999999999", "1e1000000000", "1e99999999999999999999", "1e-99999999999999999999", "0e99999999999999999999",
		"12345678901234567890123", "1234.5678", "0.00001234", "100000000", "10000", "9999.9999", "0.5", "1.005", "-1.005", "99.994", "99.995", "-99.995", "999", "1000",
		"149", "150", "0.000995", "0.00094", "0.001", "12350", "12349.999", "99949", "99950",
	}
	for typ, texts := range map[string][]string{
		"smallint": numbers, "integer": numbers, "bigint": numbers, "numeric": numbers,
		"numeric(4,2)": numbers, "numeric(3)": numbers, "numeric(3,5)": numbers, "numeric(3,-2)": numbers, "numeric(1000,500)": numbers, "numeric(20,15)": numbers,
		"real": numbers, "double precision": numbers,
		"boolean": {
			"t", "true", "TRUE", "tr", "tru", "truer", "f", "False", "fal", "y", "yes", "ye", "n", "no", "on", "off", "of", "o", "1", "0", "2", "10", "",
			" true ", " ", "yess", "nope", "On", "OFF", "oN\t", "-1", "null",
		},
		"uuid": {
			"f47ac10b-58cc-4372-a567-0e02b2c3d479", "F47AC10B58CC4372A5670E02B2C3D479", "{f47ac10b-58cc-4372-a567-0e02b2c3d479}", "{f47ac10b58cc4372a5670e02b2c3d479}",
			"f47a-c10b-58cc-4372-a567-0e02-b2c3-d479", "f47ac10b-58cc-4372-a567-0e02b2c3d47", "f47ac10b-58cc-4372-a567-0e02b2c3d4790", " f47ac10b-58cc-4372-a567-0e02b2c3d479",
			"{f47ac10b-58cc-4372-a567-0e02b2c3d479", "f47ac10b-58cc-4372-a567-0e02b2c3d479}", "f47ac10b--58cc-4372-a567-0e02b2c3d479", "g47ac10b-58cc-4372-a567-0e02b2c3d479", "",
			"f4-7ac10b58cc4372a5670e02b2c3d479", "f47ac10b58cc4372a5670e02b2c3d479-", "{}", "{",
		},
		"text":       {"", " ", "abc", "žluť 漢字 😀", `"\` + "\b\n", strings.Repeat("x", 100_000)},
		"varchar":    {"", "abc"},
		"varchar(3)": {"", "abc", "abcd", "abc  ", "ab   c", "žlu", "žluť", "žlu ", "漢字漢", "漢字漢字", "   ", "    ", "abc \t", "😀😀😀 "},
		"char(3)":    {"", "a", "abc", "abcd", "abc  ", "ž", "žluť", "    "},
		"char":       {"a", "ab", "a ", "ž", ""},
		"bpchar":     {"abc  ", ""},
	} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			newServer(t).agree(typ, quoted(texts), texts)
		})
	}
}

// TestNumbersAsPostgres: a JSON number lands as INSERT of its text does. Into
// integers, 1.0 and 1e3 fit as well.
func TestNumbersAsPostgres(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	values := make([]string, 3000)
	for i := range values {
		values[i] = randomNumber(rnd)
	}
	values = append(values, "1e131071", "1e131072", "1e-16383", "1e-16384", "0e-16384", "0e999999", "1e999999", "0e99999999999", "1e1073741823", "0e1073741822",
		"1"+strings.Repeat("0", 131071), "1"+strings.Repeat("0", 131072), "0."+strings.Repeat("3", 16383), "0."+strings.Repeat("3", 16384))
	for _, typ := range []string{"jsonb", "numeric", "numeric(6,3)", "numeric(30,0)", "numeric(5,-3)", "numeric(2,6)", "double precision", "real", "text"} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			newServer(t).agree(typ, values, values)
		})
	}
	t.Run("bigint", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		got := s.copied("bigint", &sinkd.Route{}, values)
		exact := s.inserted("numeric", values)
		for i, want := range exact {
			if strings.HasPrefix(want, "refused") {
				continue
			}
			whole, fraction, _ := strings.Cut(want, ".")
			fits := strings.Trim(fraction, "0") == "" && len(whole) < 19
			if whole == "-0" {
				whole = "0"
			}
			if fits && got[i] != whole {
				t.Errorf("%s: %s, want %s", values[i], got[i], whole)
			} else if !fits && len(whole) != 19 && len(whole) != 20 && !strings.HasPrefix(got[i], "bad: ") {
				t.Errorf("%s: %s, want it to be bad", values[i], got[i])
			}
		}
	})
}

// randomNumber gives a number as JSON writes them.
func randomNumber(rnd *rand.Rand) string {
	text := ""
	if rnd.IntN(3) == 0 {
		text = "-"
	}
	whole := rnd.Uint64() >> rnd.IntN(64)
	text += fmt.Sprint(whole)
	if whole > 0 && rnd.IntN(4) == 0 {
		text += fmt.Sprint(rnd.Uint64())
	}
	if rnd.IntN(2) == 0 {
		text += "." + strings.Repeat("0", rnd.IntN(5)) + fmt.Sprint(rnd.Uint64()>>rnd.IntN(64)) + strings.Repeat("0", rnd.IntN(5))
	}
	if rnd.IntN(3) == 0 {
		text += [...]string{"e", "E", "e+", "e-", "e-"}[rnd.IntN(5)] + fmt.Sprint(rnd.IntN(40))
	}
	return text
}

// TestTimesAsPostgres: what is read as a time is the time that Postgres reads;
// an offset is applied to timestamp, too, and fine digits are truncated.
func TestTimesAsPostgres(t *testing.T) {
	t.Parallel()
	// A bar keeps white space at the end of a line.
	file, err := os.ReadFile("testdata/times.txt")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for line := range strings.Lines(string(file)) {
		texts = append(texts, strings.Trim(strings.Trim(line, "\n"), "|"))
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		texts = append(texts, randomTime(rnd))
	}
	s := newServer(t)
	for _, typ := range []string{"date", "timestamptz", "timestamptz(3)", "timestamp"} {
		got, want := s.copied(typ, &sinkd.Route{}, quoted(texts)), s.inserted(typ, texts)
		if typ == "timestamp" {
			// The offset is applied: as Postgres does for timestamptz, in UTC.
			want = s.inserted("timestamptz", texts)
		}
		unknown := 0
		for i := range texts {
			if typ == "timestamp" {
				want[i] = strings.Replace(want[i], "+00", "", 1)
			}
			if strings.HasPrefix(got[i], "bad: ") {
				if !strings.HasPrefix(want[i], "refused") {
					unknown++
					t.Logf("%s: %s is not read, Postgres has %s", typ, texts[i], want[i])
				}
				continue
			}
			if got[i] != want[i] {
				t.Errorf("%s: %s: COPY %s, INSERT %s", typ, texts[i], got[i], want[i])
			}
		}
		if unknown > 15 {
			t.Errorf("%s: %d times that Postgres takes are not read", typ, unknown)
		}
	}
}

// randomTime gives a time in one of the forms of ISO 8601.
func randomTime(rnd *rand.Rand) string {
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	text := fmt.Sprintf("%04d-%02d-%02d", 1+rnd.IntN(9999), 1+rnd.IntN(12), 1+rnd.IntN(31))
	if rnd.IntN(5) == 0 {
		text = strings.ReplaceAll(text, "-", "")
	}
	if rnd.IntN(5) > 0 {
		text += pick("T", "t", " ", "  ") + fmt.Sprintf("%02d:%02d", rnd.IntN(25), rnd.IntN(60))
		if rnd.IntN(4) > 0 {
			text += fmt.Sprintf(":%02d", rnd.IntN(61))
			text += pick("", "", ".5", ".123", ".123456", ".000001")
		}
	}
	text += pick("", "", "Z", "z", "+00", "-0000", fmt.Sprintf("%+03d:%02d", rnd.IntN(33)-16, rnd.IntN(61)), " UTC", " -03:30", "+05:30:15")
	return text + pick("", "", "", " BC", " AD")
}

// TestValues holds what INSERT of a text cannot say: which JSON values fit
// which types, and why others do not.
func TestValues(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, c := range []struct{ typ, value, want string }{
		{"smallint", `1.0`, "1"},
		{"smallint", `1e3`, "1000"},
		{"smallint", `1.50e1`, "15"},
		{"smallint", `3276700e-2`, "32767"},
		{"smallint", `-0.0`, "0"},
		{"smallint", `1.5`, "bad: column v (smallint): a number that has a fraction, which smallint would lose"},
		{"smallint", `32768`, "bad: column v (smallint): a number that is out of range for smallint"},
		{"smallint", `"x"`, "bad: column v (smallint): a string that is not an integer"},
		{"smallint", `true`, "bad: column v (smallint): a boolean that is not an integer"},
		{"smallint", `[1]`, "bad: column v (smallint): an array that is not an integer"},
		{"smallint", `{"a":1}`, "bad: column v (smallint): an object that is not an integer"},
		{"smallint", `null`, "NULL"},
		{"bigint", `9223372036854775807`, "9223372036854775807"},
		{"bigint", `-9223372036854775808.0`, "-9223372036854775808"},
		{"bigint", `9223372036854775808`, "bad: column v (bigint): a number that is out of range for bigint"},
		{"bigint", `9007199254740993`, "9007199254740993"},
		{"bigint", `1e-400`, "bad: column v (bigint): a number that has a fraction, which bigint would lose"},
		{"bigint", `0e99999999999`, "0"},
		{"bigint", `1e99999999999`, "bad: column v (bigint): a number that is out of range for bigint"},
		{"numeric", `0.1000`, "0.1000"},
		{"numeric", `true`, "bad: column v (numeric): a boolean that is not a number"},
		{"numeric(4,2)", `100`, "bad: column v (numeric(4,2)): a number that has more digits than the column's precision leaves room for"},
		{"numeric(4,2)", `99.994999`, "99.99"},
		{"numeric(4,2)", `1e-9999`, "0.00"},
		{"numeric(4,2)", `1e-999999`, "bad: column v (numeric(4,2)): a number that is out of range for numeric"},
		{"numeric(4,2)", `"NaN"`, "NaN"},
		{"numeric(4,2)", `"inf"`, "bad: column v (numeric(4,2)): a string that stands for infinity, for which precision and scale leave no room"},
		{"double precision", `1e400`, "bad: column v (double precision): a number that is out of range for double precision"},
		{"double precision", `0.1`, "0.1"},
		{"real", `16777217`, "1.6777216e+07"},
		{"boolean", `true`, "true"},
		{"boolean", `false`, "false"},
		{"boolean", `1`, "true"},
		{"boolean", `0`, "false"},
		{"boolean", `2`, "bad: column v (boolean): a number that is not a boolean"},
		{"boolean", `[]`, "bad: column v (boolean): an array that is not a boolean"},
		{"text", `true`, "true"},
		{"text", `1.50`, "1.50"},
		{"text", `[1, "a\u0041"]`, `[1, "a\u0041"]`},
		{"text", `{"a":1}`, "bad: column v (text): an object that does not fit; a json or jsonb column takes it"},
		{"text", `"a\u0000b"`, "bad: column v (text): a string that holds a NUL character, which Postgres's text cannot; SINKD_NUL=strip takes it out"},
		{"text", `"\ud83d\ude00\t"`, "😀\t"},
		{"varchar(3)", `1234`, "bad: column v (character varying(3)): a number that is longer than 3 characters"},
		{"uuid", `"not"`, "bad: column v (uuid): a string that is not a uuid"},
		{"uuid", `1`, "bad: column v (uuid): a number that is not a uuid"},
		{"bytea", `"aGk="`, `\x6869`},
		{"bytea", `"aGk"`, `\x6869`},
		{"bytea", `"_-8="`, `\xffef`},
		{"bytea", `"/+8"`, `\xffef`},
		{"bytea", `"\\x00Ff"`, `\x00ff`},
		{"bytea", `""`, `\x`},
		{"bytea", `"\\x0"`, "bad: column v (bytea): a string that is neither base64 nor \\x and hexadecimal digits"},
		{"bytea", `"a"`, "bad: column v (bytea): a string that is neither base64 nor \\x and hexadecimal digits"},
		{"bytea", `"no!"`, "bad: column v (bytea): a string that is neither base64 nor \\x and hexadecimal digits"},
		{"bytea", `12`, "bad: column v (bytea): a number that is not a string of base64 or of \\x and hexadecimal digits"},
		{"bytea", `"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="`, "NULL"},
		{"text", `"__debezium_unavailable_value"`, "NULL"},
		{"text", `"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="`, "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="},
		{"json", `{"b": 1.50, "a":[ ] }`, `{"b": 1.50, "a":[ ] }`},
		{"json", `"x"`, `"x"`},
		{"json", `1e999999`, `1e999999`},
		{"json", `"\u0000"`, "bad: column v (json): a JSON value that holds an escaped NUL, which Postgres cannot; SINKD_NUL=strip does not reach into JSON"},
		{"jsonb", `{"b": 1.50, "a":[ ], "b": 2}`, `{"a": [], "b": 2}`},
		{"jsonb", `"\\u0000"`, `"\\u0000"`},
		{"jsonb", `{"\u0000":1}`, "bad: column v (jsonb): a JSON value that holds an escaped NUL, which Postgres cannot; SINKD_NUL=strip does not reach into JSON"},
		{"jsonb", `{"a":[1e999999]}`, "bad: column v (jsonb): a JSON value that holds a number out of range for jsonb"},
		{"jsonb", `{"a":"1e999999","b":1e-5}`, `{"a": "1e999999", "b": 0.00001}`},
		{"jsonb", `null`, "NULL"},
		{"jsonb", `"__debezium_unavailable_value"`, "NULL"},
		{"jsonb", strings.Repeat("[", 998) + strings.Repeat("]", 998), strings.Repeat("[", 998) + strings.Repeat("]", 998)},
		{"timestamptz", `1700000000123`, "2023-11-14 22:13:20.123+00"},
		{"timestamptz", `1700000000123.4567`, "2023-11-14 22:13:20.123456+00"},
		{"timestamptz", `1.7e12`, "2023-11-14 22:13:20+00"},
		{"timestamptz", `-0.0001`, "1969-12-31 23:59:59.999999+00"},
		{"timestamptz", `"1969-12-31T23:59:59.9999999Z"`, "1969-12-31 23:59:59.999999+00"},
		{"timestamptz", `1e30`, "bad: column v (timestamp with time zone): a number that is out of range for timestamp"},
		{"timestamptz", `9223372036854775807`, "bad: column v (timestamp with time zone): a number that is out of range for timestamp"},
		{"timestamptz", `"now"`, "bad: column v (timestamp with time zone): a string that is not a time in ISO 8601"},
		{"timestamptz", `"today"`, "bad: column v (timestamp with time zone): a string that is not a time in ISO 8601"},
		{"timestamptz", `true`, "bad: column v (timestamp with time zone): a boolean that is not a time in ISO 8601"},
		{"timestamp", `"2024-01-01T00:30:00+02:00"`, "2023-12-31 22:30:00"},
		{"timestamp", `"2024-01-01T00:30:00"`, "2024-01-01 00:30:00"},
		{"timestamp", `"294276-12-31T23:59:59.9999999Z"`, "294276-12-31 23:59:59.999999"},
		{"timestamp", `"294276-12-31T23:59:59-01"`, "bad: column v (timestamp without time zone): a string that is out of range for timestamp"},
		{"date", `1700000000123`, "2023-11-14"},
		{"date", `-1`, "1969-12-31"},
		{"date", `"2024-01-01T00:30:00+02:00"`, "2024-01-01"},
		{"integer[]", `[[],[]]`, "{}"},
		{"integer[]", `[[],1]`, "bad: column v (integer[]): an array that is not rectangular: all arrays in it need the same length and depth"},
		{"integer[]", `[[[]],[1]]`, "bad: column v (integer[]): an array that is not rectangular: all arrays in it need the same length and depth"},
		{"interval", `"infinity"`, "bad: column v (interval): a string that is not an interval in ISO 8601 (PT90S) or in PostgreSQL's notation (1 day 02:00:00)"},
		{"interval", `"PT9223372036854775808S"`, "bad: column v (interval): a string that is out of range for interval"},
		{"interval", `"99999999999999999999 years"`, "bad: column v (interval): a string that is out of range for interval"},
		{"time", `"now"`, "bad: column v (time without time zone): a string that is not a time of the day in ISO 8601"},
		{"time", `-1`, "bad: column v (time without time zone): a number that is out of range for a time of the day"},
		{"time", `1e30`, "bad: column v (time without time zone): a number that is out of range for a time of the day"},
		{"point[]", `[["(1,2)"],[null]]`, `{{"(1,2)"},{NULL}}`},
		{"date", `"5874898-01-01"`, "bad: column v (date): a string that is out of range for date"},
		{"date", `"2024-02-30"`, "bad: column v (date): a string that is not a time in ISO 8601"},
	} {
		if got := s.copied(c.typ, &sinkd.Route{}, []string{c.value})[0]; got != c.want {
			t.Errorf("%s: %.100s: %.200s, want %.200s", c.typ, c.value, got, c.want)
		}
	}
}

// TestOptions holds what a route's options change.
func TestOptions(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, c := range []struct {
		typ, value string
		route      sinkd.Route
		want       string
	}{
		{"timestamptz", `1700000000.1234567`, sinkd.Route{EpochUnit: "s"}, "2023-11-14 22:13:20.123456+00"},
		{"timestamptz", `-1e-7`, sinkd.Route{EpochUnit: "s"}, "1969-12-31 23:59:59.999999+00"},
		{"timestamptz", `1700000000123456`, sinkd.Route{EpochUnit: "us"}, "2023-11-14 22:13:20.123456+00"},
		{"timestamptz", `1700000000123456789`, sinkd.Route{EpochUnit: "ns"}, "2023-11-14 22:13:20.123456+00"},
		{"timestamptz", `-1`, sinkd.Route{EpochUnit: "ns"}, "1969-12-31 23:59:59.999999+00"},
		{"date", `0`, sinkd.Route{EpochUnit: "ns"}, "1970-01-01"},
		{"text", `"\u0000a\u0000\u0000b\u0000"`, sinkd.Route{StripNUL: true}, "ab"},
		{"varchar(2)", `"a\u0000b"`, sinkd.Route{StripNUL: true}, "ab"},
	} {
		if got := s.copied(c.typ, &c.route, []string{c.value})[0]; got != c.want {
			t.Errorf("%s: %s: %s, want %s", c.typ, c.value, got, c.want)
		}
	}
	if got := s.copied("jsonb", &sinkd.Route{StripNUL: true}, []string{`"\u0000"`})[0]; !strings.HasPrefix(got, "bad: ") {
		t.Errorf("a NUL in jsonb: %s", got)
	}
}
