package transform

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sinkd/sinkd"
)

// proposed gives the columns and notes that are proposed for values, each of
// them there as often as to be enough.
func proposed(r *sinkd.Route, values ...string) (columns, notes []string) {
	p := Infer(r, often(values...))
	for _, c := range p.Columns {
		text := c.Name + " " + c.Type
		if c.NotNull {
			text += " NOT NULL"
		}
		if len(c.Notes) > 0 {
			text += " -- " + strings.Join(c.Notes, "; ")
		}
		columns = append(columns, text)
	}
	if len(p.Key) > 0 {
		columns = append(columns, "key "+strings.Join(p.Key, ","))
	}
	return columns, p.Notes
}

// often gives records of values, "key|value" or value, 100 times over.
func often(values ...string) []*sinkd.Record {
	var records []*sinkd.Record
	for n := range 100 * len(values) {
		rec := message(values[n%len(values)])
		if key, value, ok := strings.Cut(values[n%len(values)], "|"); ok {
			rec.Key, rec.Value = []byte(key), []byte(value)
		}
		records = append(records, rec)
	}
	return records
}

func TestInferTypes(t *testing.T) {
	const uuid = `"5f0c9ab1-4d1e-4c8e-9a0b-0123456789aB"`
	for _, c := range []struct {
		values []string
		want   string
	}{
		{[]string{`true`, `false`}, "boolean NOT NULL"},
		{[]string{`true`, `null`}, "boolean"},
		{[]string{`1`, `-9223372036854775808`, `9223372036854775807`}, "bigint NOT NULL"},
		{[]string{`1`, `9223372036854775808`}, "numeric NOT NULL -- numbers beyond bigint"},
		{[]string{`1`, `1e40`}, "numeric NOT NULL -- numbers beyond bigint"},
		{[]string{`1`, `1.5`}, "numeric NOT NULL"},
		{[]string{`1.0`}, "numeric NOT NULL"},
		{[]string{`1`, `1e99999999`}, "text NOT NULL -- numbers beyond numeric"},
		{[]string{`"a"`, `""`}, "text NOT NULL"},
		{[]string{`"1"`, `"2.5"`}, "text NOT NULL -- all strings are numbers: numeric takes them"},
		{[]string{uuid}, "uuid NOT NULL"},
		{[]string{uuid, `""`}, "text NOT NULL"},
		{[]string{`"2024-02-29"`}, "date NOT NULL"},
		{[]string{`"2024-02-30"`}, "text NOT NULL"},
		{[]string{`"2024-02-29"`, `"2024-02-29T10:00:00Z"`}, "text NOT NULL"},
		{[]string{`"2024-02-29T10:00:00Z"`, `"2024-02-29 10:00:00.123456+02:00"`}, "timestamptz NOT NULL"},
		{[]string{`"2024-02-29T10:00:00"`}, "timestamptz NOT NULL -- times without an offset are taken as UTC"},
		{[]string{`"20240229"`}, "text NOT NULL -- all strings are numbers: numeric takes them"},
		{[]string{`"infinity"`, `"now"`}, "text NOT NULL"},
		{[]string{`1700000000000`}, "bigint NOT NULL -- may be times, as epoch numbers: timestamptz takes them with SINKD_EPOCH_UNIT=ms"},
		{[]string{`1700000000000000000`}, "bigint NOT NULL -- may be times, as epoch numbers: timestamptz takes them with SINKD_EPOCH_UNIT=ns"},
		{[]string{`1700000000`, `4`}, "bigint NOT NULL"},
		{[]string{`null`}, "text -- always null: the type is a guess"},
		{[]string{`1`, `"a"`}, "text NOT NULL -- mixed: 100 numbers, 100 strings"},
		{[]string{`1`, `{}`}, "jsonb NOT NULL -- mixed: 100 numbers, 100 objects"},
		{[]string{`[1]`, `[]`}, "jsonb NOT NULL -- arrays: where the elements are alike, an array type takes them, such as text[]"},
		{[]string{`{"b":1,"c d":2}`, `{"e":{}}`}, "jsonb NOT NULL -- objects: a path makes a column of a field, as in SINKD_COLUMNS=x_b=x.b,x_e=x.e"},
		{[]string{`{"b":1}`, `1e99999999`}, "jsonb NOT NULL -- mixed: 100 numbers, 100 objects; objects: a path makes a column of a field, as in SINKD_COLUMNS=x_b=x.b; " +
			"no type takes all values: some records will be dead letters"},
		{[]string{`"__debezium_unavailable_value"`, `1`}, "bigint"},
	} {
		values := make([]string, len(c.values))
		for i, v := range c.values {
			values[i] = `{"x": ` + v + ` }`
		}
		got, _ := proposed(&sinkd.Route{}, values...)
		if diff := cmp.Diff([]string{"x " + c.want}, got); diff != "" {
			t.Errorf("%s: %s", c.values, diff)
		}
	}
}

func TestInferColumns(t *testing.T) {
	upsert := &sinkd.Route{Mode: sinkd.Upsert, Key: []string{"b"}}
	long := strings.Repeat("é", 40)
	noKey := "no record has a key: no columns are proposed as one"
	for _, c := range []struct {
		route  *sinkd.Route
		values []string
		want   []string
		notes  []string
	}{
		{&sinkd.Route{}, []string{`{"\u0061":1,"updated_at":1700000000}`}, []string{
			"a bigint NOT NULL",
			"updated_at bigint NOT NULL -- may be times, as epoch numbers: timestamptz takes them with SINKD_EPOCH_UNIT=s",
		}, []string{noKey}},
		{
			&sinkd.Route{},
			[]string{`{"a":1}`, `{`, `[]`, `{"a":1,"a":2}`, `{"a":"\u0000"}`, "\x00\x00\x00\x00\x01x"},
			[]string{"a bigint NOT NULL"},
			[]string{
				noKey,
				"100 records fit no table: a field is given twice",
				"100 records fit no table: a value with an escaped NUL, or a number beyond numeric",
				"100 records fit no table: value is not JSON: it begins with a zero byte and a schema id, as a schema registry's clients write it; set SINKD_FORMAT to avro, protobuf or jsonschema",
				"100 records fit no table: value is not JSON: it ends too early",
				"100 records fit no table: value is not a JSON object",
			},
		},
		{&sinkd.Route{}, []string{`{"a":1,"kafka_offset":"x","":1,"x\ny":2,"` + long + `":3}`}, []string{"a bigint NOT NULL", "x\ny bigint NOT NULL"}, []string{
			"field kafka_offset is left out: a column of that name takes the record's coordinates",
			"field  is left out: a column cannot have that name; SINKD_COLUMNS maps it to another",
			"field " + long[:62] + "... is left out: a column cannot have that name; SINKD_COLUMNS maps it to another",
			noKey,
		}},
		{&sinkd.Route{}, []string{`7|{"a":1,"b":7}`, `"8"|{"a":1,"b":"8"}`}, []string{"a bigint NOT NULL", "b text NOT NULL -- mixed: 100 numbers, 100 strings; all strings are numbers: numeric takes them", "key b"}, []string{
			"key (b): a key should belong to one partition",
			"198 of 200 records have a key that an earlier one has: in append mode each is a row",
		}},
		{&sinkd.Route{}, []string{`k|{"a":1}`}, []string{"a bigint NOT NULL"}, []string{
			"no field is the record's key: SINKD_COLUMNS=key=@key, with a column key of type text, keeps it",
			"99 of 100 records have a key that an earlier one has: in append mode each is a row",
		}},
		{&sinkd.Route{}, []string{`{"a":1,"b":2}|{"a":1,"b":2,"c":3}`}, []string{"a bigint NOT NULL", "b bigint NOT NULL", "c bigint NOT NULL", "key a,b"}, []string{
			"key (a, b): a key should belong to one partition",
			"99 of 100 records have a key that an earlier one has: in append mode each is a row",
		}},
		{&sinkd.Route{}, []string{`{"a":1}|{"c":3}`}, []string{"c bigint NOT NULL"}, []string{
			"key field a is not in all values: in modes upsert and ignore a column of that name takes it from the record's key",
			"99 of 100 records have a key that an earlier one has: in append mode each is a row",
		}},
		{upsert, []string{`{"a":1,"b":2}`}, []string{"a bigint NOT NULL", "b bigint NOT NULL", "key b"}, []string{"key (b): a key should belong to one partition"}},
		{upsert, []string{`{"a":1,"b":null}`, `{"a":1,"b":1}`}, []string{"a bigint NOT NULL", "b bigint"}, []string{"key field b is null in some records, which a key cannot be"}},
	} {
		got, notes := proposed(c.route, c.values...)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.values, diff)
		}
		if diff := cmp.Diff(c.notes, notes); diff != "" {
			t.Errorf("%s: notes: %s", c.values, diff)
		}
	}
}

func TestInferFew(t *testing.T) {
	records := often(`{"a":1}`)
	records[0].Value = []byte(`{"a":1,"rare":true}`)
	records[1].Value = nil
	p := Infer(&sinkd.Route{}, records)
	if got := fmt.Sprint(p.Records, p.Tombstones, p.Bad, p.Columns[1].Notes); got != "99 1 0 [in 1 of 99 records]" {
		t.Error(got)
	}
	p = Infer(&sinkd.Route{}, nil)
	if len(p.Columns)+len(p.Notes)+len(p.Key) > 0 {
		t.Errorf("from nothing: %+v", p)
	}
}
