package transform

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sinkd/sinkd"
)

// table gives a table of columns written as "name type", with "!" for NOT NULL
// and "=" for a default behind the type, "*" for a generated column.
func table(columns ...string) *sinkd.Table {
	types := map[string]uint32{"int": oidInt4, "bigint": oidInt8, "text": oidText, "jsonb": oidJSONB, "bytea": oidBytea, "timestamptz": oidTimestamptz, "bool": oidBool, "numeric": oidNumeric, "uuid": oidUUID}
	t := &sinkd.Table{OID: 1, Schema: "public", Name: "t"}
	for _, c := range columns {
		name, typ, _ := strings.Cut(c, " ")
		bare := strings.TrimRight(typ, "!=*")
		t.Columns = append(t.Columns, sinkd.Column{
			Name: name, Type: types[bare], TypeName: bare, Typmod: -1,
			NotNull: strings.Contains(typ, "!"), Default: strings.Contains(typ, "="), Generated: strings.Contains(typ, "*"),
		})
	}
	return t
}

// encode gives an encoder's batch of records with the given values.
func encode(t *testing.T, r *sinkd.Route, table *sinkd.Table, records ...*sinkd.Record) *sinkd.Batch {
	t.Helper()
	r.Topics = []string{"topic"}
	e := NewEncoder(Options{Routes: []*sinkd.Route{r}, MaxRecordBytes: 1000})
	if err := e.Supply("topic", table); err != nil {
		t.Fatal(err)
	}
	for i, rec := range records {
		rec.Topic, rec.Offset = "topic", int64(i)
	}
	b := batchOf(records)
	if needs := e.Encode(b); needs != nil {
		t.Fatal(needs)
	}
	count := b.Ranges[0].Count
	rows := 0
	for i := range b.Rows {
		rows += len(b.Rows[i].Row)
	}
	if rows != count.Rows || len(b.Dead) != count.Dead || count.Rows+count.Skipped+count.Dead != len(records) {
		t.Errorf("%d records, %d rows, %d dead letters, counted as %+v", len(records), rows, len(b.Dead), count)
	}
	return b
}

func values(texts ...string) []*sinkd.Record {
	records := make([]*sinkd.Record, len(texts))
	for i, text := range texts {
		records[i] = &sinkd.Record{Value: []byte(text)}
	}
	return records
}

// parse reads a binary COPY stream: the fields of each tuple as they travel,
// with - for NULL, and checks that Row says where the tuples begin.
func parse(t *testing.T, rows *sinkd.Rows) [][]string {
	t.Helper()
	buf := string(rows.Buf)
	if !strings.HasPrefix(buf, sinkd.CopyHeader) || !strings.HasSuffix(buf, sinkd.CopyTrailer) {
		t.Fatalf("%q has not header and trailer", buf)
	}
	number := func(at, size int) int {
		if size == 2 {
			return int(int16(binary.BigEndian.Uint16(rows.Buf[at:])))
		}
		return int(int32(binary.BigEndian.Uint32(rows.Buf[at:])))
	}
	var out [][]string
	at := len(sinkd.CopyHeader)
	for at < len(buf)-2 {
		if rows.Row[len(out)].Start != at {
			t.Errorf("row %d is said to start at %d, not %d", len(out), rows.Row[len(out)].Start, at)
		}
		n := number(at, 2)
		at += 2
		fields := make([]string, n)
		for i := range fields {
			size := number(at, 4)
			at += 4
			if size < 0 {
				fields[i] = "-"
				continue
			}
			fields[i] = buf[at : at+size]
			at += size
		}
		out = append(out, fields)
	}
	if len(out) != len(rows.Row) {
		t.Errorf("%d tuples for %d rows", len(out), len(rows.Row))
	}
	return out
}

func TestEncodeGroupsByColumns(t *testing.T) {
	b := encode(t, &sinkd.Route{}, table("a text", "b text=", "c text!=", "d text*"), values(
		`{"a":"1","b":"2","c":"3"}`, `{"a":"4","c":"5"}`, `{"b":null,"c":"6"}`, `{"a":"7"}`, `{"a":"8","b":"9","c":"10"}`, `{"d":"x"}`,
		`{"a":"11","c":"__debezium_unavailable_value"}`)...)
	got := map[string][][]string{}
	for i := range b.Rows {
		got[strings.Join(b.Rows[i].Columns, ",")] = parse(t, &b.Rows[i])
	}
	want := map[string][][]string{
		"a,b,c": {{"1", "2", "3"}, {"-", "-", "6"}, {"8", "9", "10"}},
		"a,c":   {{"4", "5"}},
		"a":     {{"7"}, {"-"}, {"11"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTextForm(t *testing.T) {
	spots := table("a int", "b text=")
	spots.Columns = append(spots.Columns, sinkd.Column{Name: "spot", Type: oidPoint, Typmod: -1, Default: true})
	want := map[string]string{"a,b,spot": "[false false true]", "a,spot": "[false true]", "a,b": "[]"}
	b := encode(t, &sinkd.Route{}, spots, values(`{"b":"x","spot":"(1,2)"}`, `{"spot":{"x":1}}`, `{"b":"x"}`)...)
	for _, rows := range b.Rows {
		columns := strings.Join(rows.Columns, ",")
		if got := fmt.Sprint(rows.Text); got != want[columns] || (rows.Text == nil) != (got == "[]") {
			t.Errorf("%s: %s, want %s", columns, got, want[columns])
		}
		delete(want, columns)
	}
	if len(want) > 0 {
		t.Errorf("no rows of %v", want)
	}
}

// A cell keeps nothing of the record before.
func TestCellsAreCleared(t *testing.T) {
	b := encode(t, &sinkd.Route{}, table("a text"), values(`{"a":true}`, `{"a":false}`, `{"a":"\u0000"}`, `{"a":false}`, `{"a":"x"}`)...)
	if diff := cmp.Diff([][]string{{"true"}, {"false"}, {"false"}, {"x"}}, parse(t, &b.Rows[0])); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeManyGroups(t *testing.T) {
	columns, records := []string{"a text"}, []*sinkd.Record(nil)
	for i := range 100 {
		columns = append(columns, fmt.Sprintf("c%d text=", i))
		records = append(records, values(fmt.Sprintf(`{"a":"x","c%d":"y"}`, i), fmt.Sprintf(`{"c%d":"z"}`, i))...)
	}
	for _, r := range encode(t, &sinkd.Route{}, table(columns...), records...).Rows {
		if len(r.Columns) != 2 || len(r.Row) != 2 {
			t.Fatalf("%d rows of columns %v", len(r.Row), r.Columns)
		}
	}
}

func TestDeadLetters(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for _, c := range []struct {
		columns []string
		value   string
		stage   string
		reason  string
	}{
		{[]string{"a int"}, `{"a":"x"}`, "convert", `column a (int): a string that is not an integer`},
		{[]string{"a int"}, `{"a":"` + long[:900] + `"}`, "convert", `column a (int): a string that is not an integer`},
		{[]string{"a int!"}, `{"a":null}`, "convert", `column a (int): field a is null, and the column is NOT NULL`},
		{[]string{"a int!", "b int"}, `{"b":1}`, "convert", `column a (int): field a is missing, and the column is NOT NULL without a default`},
		{[]string{"a int!="}, `{"a":null}`, "convert", `column a (int): field a is null, and the column is NOT NULL`},
		{[]string{"a int"}, `{"b":1}`, "decode", "none of the value's fields matches a column"},
		{[]string{"a int"}, `{}`, "decode", "none of the value's fields matches a column"},
		{[]string{"a int"}, `{"a":"__debezium_unavailable_value"}`, "decode", "none of the value's fields matches a column"},
		{[]string{"a int"}, `[{"a":1}]`, "decode", "value is not a JSON object, so none of its fields matches a column"},
		{[]string{"a int"}, `null`, "decode", "value is not a JSON object, so none of its fields matches a column"},
		{[]string{"a int"}, `{"a":1`, "decode", "value is not JSON: it ends too early"},
		{[]string{"a int"}, ``, "decode", "value is not JSON: it is empty"},
		{[]string{"a int"}, `{"a":1,"a":2}`, "decode", `column a (int): field a: the field is given twice`},
		{[]string{"a int"}, "\x00\x00\x00\x01\x02{}", "decode", "value is not JSON: it begins with a zero byte and a schema id, as a schema registry's clients write it; set SINKD_FORMAT to avro, protobuf or jsonschema"},
		{[]string{"a int"}, `{"a":"` + long + `"}`, "decode", "key, value and headers have more than SINKD_MAX_RECORD_BYTES (1000) together"},
	} {
		b := encode(t, &sinkd.Route{}, table(c.columns...), values(c.value, `{"a":7}`)...)
		if len(b.Dead) != 1 || len(b.Rows) != 1 || len(parse(t, &b.Rows[0])) != 1 {
			t.Errorf("%.50s: %d dead letters, rows %v", c.value, len(b.Dead), b.Rows)
			continue
		}
		if d := b.Dead[0]; d.Stage != c.stage || d.Reason != c.reason || d.Record.Offset != 0 || d.SchemaID != map[bool]int{true: 258}[c.value != "" && c.value[0] == 0] {
			t.Errorf("%.50s: %s: %s (schema %d), want %s: %s", c.value, d.Stage, d.Reason, d.SchemaID, c.stage, c.reason)
		}
	}
}

// Records that are wrong in the same way have the same reason, and none holds
// what the record holds.
func TestReasonsGroup(t *testing.T) {
	for _, c := range []struct {
		column string
		values [2]string
	}{
		{"a int", [2]string{`{"a":"SECRET"}`, `{"a":"  12SECRET"}`}},
		{"a int", [2]string{`{"a":7777777777}`, `{"a":-777777777777.0}`}},
		{"a int", [2]string{`{"a":777.5}`, `{"a":7777e-1}`}},
		{"a int", [2]string{`{"a":["SECRET"]}`, `{"a":[]}`}},
		{"a int", [2]string{`{"a":SECRET}`, `{"b":"", "a":!777}`}},
		{"a text", [2]string{`{"a":"SECRET\u0000"}`, `{"a":"\u0000777"}`}},
		{"a text", [2]string{`{"a":{"SECRET":777}}`, `{"a":{}}`}},
		{"a bytea", [2]string{`{"a":"SECRET!"}`, `{"a":"\\x777"}`}},
		{"a jsonb", [2]string{`{"a":["SECRET\u0000"]}`, `{"a":{"\u0000":777}}`}},
		{"a timestamptz", [2]string{`{"a":"SECRET"}`, `{"a":"777-77-77"}`}},
		{"a text", [2]string{`{"a":"SECRET","a":1}`, `{"a":777,"a":"a"}`}},
		{"a text", [2]string{`SECRET`, ` !777`}},
		{"a text", [2]string{"\x00SECRET", "\x00\x00\x00\x01777"}},
		{"a text", [2]string{`"` + strings.Repeat("SECRET", 777) + `"`, `"` + strings.Repeat("x", 7777) + `"`}},
	} {
		b := encode(t, &sinkd.Route{}, table(c.column), values(c.values[0], c.values[1])...)
		if len(b.Dead) != 2 || b.Dead[0].Reason != b.Dead[1].Reason {
			t.Errorf("%.50q: %+v", c.values, b.Dead)
			continue
		}
		if reason := b.Dead[0].Reason; strings.Contains(reason, "SECRET") || strings.Contains(reason, "777") {
			t.Errorf("%.50q: the value is in %q", c.values, reason)
		}
	}
}

func TestTombstonesAreSkipped(t *testing.T) {
	b := encode(t, &sinkd.Route{}, table("a text"), &sinkd.Record{Key: []byte("k")}, &sinkd.Record{Value: []byte(`{"a":"x"}`)})
	if c := b.Ranges[0].Count; c.Skipped != 1 || c.Rows != 1 {
		t.Errorf("%+v", c)
	}
}

func TestCounts(t *testing.T) {
	stamp := time.UnixMilli
	b := encode(t, &sinkd.Route{}, table("a text"),
		&sinkd.Record{Timestamp: stamp(500), Value: []byte(`{"a":"x"}`)},
		&sinkd.Record{Timestamp: stamp(900), Key: []byte("key")},
		&sinkd.Record{Timestamp: stamp(100), Value: []byte(`bad`), Key: []byte("k")},
		&sinkd.Record{Timestamp: stamp(1 << 60), Value: []byte(`{"a":"x"}`)})
	want := sinkd.Count{Rows: 2, Skipped: 1, Dead: 1, Bytes: 9 + 3 + 4 + 9, First: stamp(100), Last: stamp(900)}
	if diff := cmp.Diff(want, b.Ranges[0].Count); diff != "" {
		t.Error(diff)
	}
}

func TestNeeds(t *testing.T) {
	e := NewEncoder(Options{Routes: []*sinkd.Route{{Topics: []string{"x", "y"}}}})
	of := func(topic string) sinkd.Range {
		return sinkd.Range{Claim: &sinkd.Claim{Partition: sinkd.Partition{Topic: topic}}, Records: sinkd.RecordsOf(&sinkd.Record{Topic: topic, Value: []byte(`{"a":"x"}`)})}
	}
	b := &sinkd.Batch{Ranges: []sinkd.Range{of("x"), of("y"), of("x")}}
	if diff := cmp.Diff([]sinkd.Need{{Topic: "x"}, {Topic: "y"}}, e.Encode(b)); diff != "" {
		t.Error(diff)
	}
	if err := e.Supply("x", table("a text")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]sinkd.Need{{Topic: "y"}}, e.Encode(b)); diff != "" || len(b.Rows) > 0 || b.Ranges[0].Count.Rows > 0 {
		t.Error(diff, b.Rows)
	}
	if err := e.Supply("y", table("a text")); err != nil {
		t.Fatal(err)
	}
	if needs := e.Encode(b); needs != nil || len(b.Rows) != 1 || len(b.Rows[0].Row) != 3 {
		t.Error("rows of two topics in one table are not one COPY:", needs, b.Rows)
	}
	// A changed table is a new plan for its topic.
	if err := e.Supply("y", table("a text", "b text")); err != nil {
		t.Fatal(err)
	}
	if needs := e.Encode(b); needs != nil || len(b.Rows) != 2 {
		t.Error(needs, b.Rows)
	}
}

func TestBuffersAreReused(t *testing.T) {
	e := newOrders(t, orders())
	live := make([]*sinkd.Batch, 3)
	for round := range 5 {
		for i := range live {
			live[i] = batchOf(narrow(10 * (i + 1)))
			e.Encode(live[i])
		}
		for i, b := range live {
			if rows := parse(t, &b.Rows[0]); len(rows) != 10*(i+1) || rows[0][1] != "cust-000000" {
				t.Fatalf("round %d: batch %d was overwritten", round, i)
			}
			e.Recycle(b)
			if len(b.Rows) > 0 || len(b.Dead) > 0 {
				t.Fatal("the batch still has rows")
			}
			e.Recycle(b)
		}
	}
	if n := len(e.spares.bufs); n != 3 {
		t.Errorf("%d buffers for three batches", n)
	}
}
