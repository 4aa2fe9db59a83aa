package transform

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sinkd/sinkd"
)

func TestRefuseFields(t *testing.T) {
	mapped := []sinkd.Mapping{{Column: "city", Source: "address.city"}}
	soft := &sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Soft, DeletedColumn: "gone"}
	for _, c := range []struct {
		route   *sinkd.Route
		table   *sinkd.Table
		value   string
		refused string
	}{
		{&sinkd.Route{}, table("a int", "b int*"), `{"a":1,"b":2}`, ""},
		{&sinkd.Route{}, table("a int"), `{"a":1,"x":null}`, "x"},
		{&sinkd.Route{}, table("a int"), `{"a":1,"\u0078\u00e9":{}}`, "xé"},
		{&sinkd.Route{}, table("a int"), `{"x":1}`, "x"},
		{&sinkd.Route{}, table("a int"), `{"a":1,"` + strings.Repeat("é", 100) + `":1}`, strings.Repeat("é", 31) + "..."},
		{&sinkd.Route{}, table("a int"), `{"a":1,"\u0000":1}`, `\u0000`},
		{&sinkd.Route{}, table("a jsonb"), `{"a":{"x":1}}`, ""},
		{&sinkd.Route{Columns: mapped}, table("a int", "city text"), `{"a":1,"address":{"city":"c","zip":1}}`, "address.zip"},
		{&sinkd.Route{Columns: mapped}, table("a int", "city text"), `{"a":1,"city":"c"}`, "city"},
		{&sinkd.Route{Columns: mapped}, table("address jsonb", "city text"), `{"address":{"city":"c","zip":1}}`, ""},
		{&sinkd.Route{Columns: []sinkd.Mapping{{Column: "b", Source: "@value"}}}, table("a int", "b jsonb"), `{"a":1,"x":1}`, ""},
		{&sinkd.Route{}, &sinkd.Table{Columns: sinkd.Landing()}, `{"x":1}`, ""},
		{soft, keyedTable(1, "a int", "gone bool"), `{"a":1,"gone":null}`, ""},
	} {
		c.route.Unknown = sinkd.RefuseFields
		got := foldOf(t, c.route, c.table, c.value, c.value)
		want := "field " + c.refused + ": no column takes it, and SINKD_UNKNOWN_FIELDS=dead-letter @0"
		if (c.refused != "") != (got[0] == want) {
			t.Errorf("%s: %q, want %q", c.value, got, c.refused)
		}
	}
}

// grow encodes values of a topic whose route adds columns, gives the encoder
// the columns that it asks for, late where it asks a second time, and tells what
// it asked for each time.
func grow(t *testing.T, r *sinkd.Route, table *sinkd.Table, late string, values ...string) (asked []string, b *sinkd.Batch) {
	t.Helper()
	r.Topics, r.Unknown = []string{"topic"}, sinkd.AddColumns
	e := NewEncoder(Options{Routes: []*sinkd.Route{r}})
	b = &sinkd.Batch{Ranges: []sinkd.Range{{Claim: &sinkd.Claim{Partition: sinkd.Partition{Topic: "topic"}}}}}
	for _, text := range values {
		rec := message(text)
		rec.Topic = "topic"
		b.Ranges[0].Records.Append(sinkd.RecordsOf(rec))
	}
	types := map[string]uint32{"boolean": oidBool, "bigint": oidInt8, "numeric": oidNumeric, "text": oidText, "jsonb": oidJSONB}
	if err := e.Supply("topic", table); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		needs := e.Encode(b)
		if needs == nil {
			return asked, b
		}
		if len(b.Rows)+len(b.Dead) > 0 || b.Ranges[0].Count != (sinkd.Count{}) {
			t.Errorf("a batch that lacks columns was filled: %+v", b)
		}
		grown := *table
		for _, c := range needs[0].Columns {
			asked = append(asked, shortened(c.Name)+" "+c.Type)
			if c.Name == late {
				late = ""
			} else {
				grown.Columns = append(grown.Columns, sinkd.Column{Name: c.Name, Type: types[c.Type], TypeName: c.Type, Typmod: -1})
			}
		}
		table = &grown
		if err := e.Supply("topic", table); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("it asks without end: %q", asked)
	return nil, nil
}

func TestAddColumns(t *testing.T) {
	long := strings.Repeat("x", 64)
	for _, c := range []struct {
		name   string
		values []string
		late   string
		asked  []string
		dead   []string
	}{
		{"none", []string{`{"a":1}`, `{"a":2,"x":null,"kafka_offset":1,"y":"__debezium_unavailable_value"}`}, "", nil, nil},
		{
			"kinds",
			[]string{`{"a":1,"b":true,"i":-9223372036854775808,"n":9223372036854775808,"f":1.0,"e":1e3,"s":"2024-01-01T00:00:00Z","o":{},"l":[1]}`},
			"",
			[]string{"b boolean", "i bigint", "n numeric", "f numeric", "e numeric", "s text", "o jsonb", "l jsonb"},
			nil,
		},
		{
			"mixed",
			[]string{`{"a":1,"x":1,"y":1,"z":null,"w":true}`, `{"x":1.5,"y":"s","z":1,"w":[]}`},
			"",
			[]string{"x numeric", "y text", "w jsonb", "z bigint"},
			nil,
		},
		{"nothing but new", []string{`{"x":1}`, `{}`}, "", []string{"x bigint"}, []string{"none of the value's fields matches a column"}},
		{"escaped", []string{`{"\u0078":"\u00e9"}`}, "", []string{"x text"}, nil},
		{"inside", []string{`{"a":1,"o":{"p":1}}`}, "", []string{"o jsonb"}, nil},
		{"broken", []string{`{"a":1,"x":1`}, "", nil, []string{"value is not JSON: it ends too early"}},
		{"late", []string{`{"a":1,"x":1,"y":1}`, `{"a":1}`}, "x", []string{"x bigint", "y bigint", "x bigint"}, nil},
		{"names", []string{`{"a":1,"":1}`, `{"a":1,"` + long + `":1}`, `{"a":1,"xmin":1}`, `{"a":1,"x\u0000":1}`}, "", nil, []string{
			"field : no column takes it, and none can be added, for a column cannot have that name",
			"field " + long[:63] + "...: no column takes it, and none can be added, for a column cannot have that name",
			"field xmin: no column takes it, and none can be added, for a column cannot have that name",
			`field x\u0000` + ": no column takes it, and none can be added, for a column cannot have that name",
		}},
	} {
		asked, b := grow(t, &sinkd.Route{}, table("a int", "kafka_offset bigint"), c.late, c.values...)
		var dead []string
		for _, d := range b.Dead {
			dead = append(dead, d.Reason)
		}
		if diff := cmp.Diff(c.asked, asked); diff != "" {
			t.Errorf("%s: asked: %s", c.name, diff)
		}
		if diff := cmp.Diff(c.dead, dead); diff != "" {
			t.Errorf("%s: dead: %s", c.name, diff)
		}
		if n := b.Ranges[0].Count.Rows; n+len(dead) != len(c.values) {
			t.Errorf("%s: %d rows", c.name, n)
		}
	}
}

func TestAddColumnsHasAnEnd(t *testing.T) {
	var values []string
	for i := range 2000 {
		values = append(values, fmt.Sprintf(`{"a":1,"x%d":1}`, i))
	}
	asked, b := grow(t, &sinkd.Route{}, table("a int"), "", values...)
	if len(asked) != 1599 || len(b.Dead) != 401 || !strings.HasSuffix(b.Dead[0].Reason, "for the table has 1600 columns") {
		t.Errorf("%d columns, %d dead letters", len(asked), len(b.Dead))
	}
}

func TestTablesAsTheyAre(t *testing.T) {
	r := &sinkd.Route{Topics: []string{"topic"}, Unknown: sinkd.AddColumns}
	e := NewEncoder(Options{Routes: []*sinkd.Route{r}, AsIs: true})
	if err := e.Supply("topic", table("a int")); err != nil {
		t.Fatal(err)
	}
	b := &sinkd.Batch{Ranges: []sinkd.Range{{Claim: &sinkd.Claim{Partition: sinkd.Partition{Topic: "topic"}}}}}
	for _, text := range []string{`{"a":1,"x":1}`, `{"x":1}`, `{"a":"x","y":1}`, `{"a":1,"xmin":1}`} {
		rec := message(text)
		rec.Topic = "topic"
		b.Ranges[0].Records.Append(sinkd.RecordsOf(rec))
	}
	if needs := e.Encode(b); needs != nil {
		t.Fatalf("it asks for %+v", needs)
	}
	if c := b.Ranges[0].Count; c.Rows != 2 || c.Dead != 2 || len(b.Rows[0].Row) != 1 {
		t.Errorf("%+v, %d rows", c, len(b.Rows[0].Row))
	}
}
