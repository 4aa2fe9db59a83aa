package transform

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sinkd/sinkd"
)

// keyedTable gives a table as table does, with a key of its first n columns.
func keyedTable(n int, columns ...string) *sinkd.Table {
	t := table(columns...)
	for i := range n {
		t.Key = append(t.Key, t.Columns[i].Name)
	}
	return t
}

// message is a record as "key -> value"; without an arrow it has no key, "nil"
// is no value.
func message(text string) *sinkd.Record {
	rec := &sinkd.Record{Timestamp: time.UnixMilli(1_000)}
	key, value, ok := strings.Cut(text, " -> ")
	if ok {
		rec.Key = []byte(key)
	} else {
		value = key
	}
	if value != "nil" {
		rec.Value = []byte(value)
	}
	return rec
}

// fold gives what a batch of the messages becomes: "delete a: 1" and the like
// for each row, the fields of integer columns as decimals, and the last
// record of each behind an @; then the counts, then the reasons.
func foldOf(t *testing.T, r *sinkd.Route, table *sinkd.Table, messages ...string) []string {
	t.Helper()
	r.Topics = []string{"topic"}
	e := NewEncoder(Options{Routes: []*sinkd.Route{r}})
	if err := e.Supply("topic", table); err != nil {
		t.Fatal(err)
	}
	var records []*sinkd.Record
	for i, text := range messages {
		rec := message(text)
		rec.Topic, rec.Offset = "topic", int64(i)
		records = append(records, rec)
	}
	b := batchOf(records)
	e.Encode(b)
	var out []string
	for i := range b.Rows {
		out = append(out, show(t, &b.Rows[i])...)
	}
	for _, d := range b.Dead {
		out = append(out, fmt.Sprintf("%s @%d", d.Reason, d.Record.Offset))
	}
	c := b.Ranges[0].Count
	return append(out, fmt.Sprintf("%d rows, %d skipped, %d dead", c.Rows, c.Skipped, c.Dead))
}

func show(t *testing.T, rows *sinkd.Rows) []string {
	t.Helper()
	var out []string
	for n, fields := range parse(t, rows) {
		op := [...]string{"write", "delete", "mark"}[rows.Op]
		if rows.Unfolded {
			op = "unfolded " + op
		}
		if slices.Contains(rows.Repeated, int32(n)) {
			op = "repeated " + op
		}
		var text []string
		for i, field := range fields {
			col := rows.Table.Columns[slices.IndexFunc(rows.Table.Columns, func(c sinkd.Column) bool { return c.Name == rows.Columns[i] })]
			switch {
			case field == "-":
			case col.Type == oidInt4:
				field = fmt.Sprint(int32(binary.BigEndian.Uint32([]byte(field))))
			case col.Type == oidInt8:
				field = fmt.Sprint(int64(binary.BigEndian.Uint64([]byte(field))))
			case col.Type == oidBool:
				field = fmt.Sprint(field == "\x01")
			case col.Type == oidTimestamptz:
				field = time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(field))) - unixEpoch).UTC().Format(time.TimeOnly)
			}
			text = append(text, rows.Columns[i]+"="+field)
		}
		out = append(out, fmt.Sprintf("%s %s @%d", op, strings.Join(text, " "), rows.Row[n].Index))
	}
	return out
}

func TestKeyed(t *testing.T) {
	upsert := func(change func(*sinkd.Route)) *sinkd.Route {
		r := &sinkd.Route{Mode: sinkd.Upsert}
		if change != nil {
			change(r)
		}
		return r
	}
	versioned := func() *sinkd.Route { return upsert(func(r *sinkd.Route) { r.Version = "v" }) }
	soft := func() *sinkd.Route {
		return upsert(func(r *sinkd.Route) { r.Deletes, r.DeletedColumn = sinkd.Soft, "gone" })
	}
	for _, c := range []struct {
		name     string
		route    *sinkd.Route
		table    *sinkd.Table
		messages []string
		want     []string
	}{
		{
			"key first", upsert(nil), &sinkd.Table{Columns: table("a text", "k int!", "b text").Columns, Key: []string{"b", "k"}},
			[]string{`{"a":"x","k":1,"b":"y"}`},
			[]string{"write b=y k=1 a=x @0", "1 rows, 0 skipped, 0 dead"},
		},
		{
			"later wins", upsert(nil), keyedTable(1, "k int", "a text"),
			[]string{`{"k":1,"a":"x"}`, `{"k":2,"a":"y"}`, `{"k":1,"a":"z"}`},
			[]string{"repeated write k=1 a=z @2", "write k=2 a=y @1", "3 rows, 0 skipped, 0 dead"},
		},
		{
			"overlay", upsert(nil), keyedTable(1, "k int", "a text", "b text", "c text"),
			[]string{`{"k":1,"a":"x","b":"y"}`, `{"k":1,"b":null,"c":"z"}`, `{"k":1,"c":"w"}`, `{"k":1}`},
			[]string{"repeated write k=1 a=x b=- c=w @3", "4 rows, 0 skipped, 0 dead"},
		},
		{
			"absent NOT NULL", upsert(nil), keyedTable(1, "k int", "a text!", "b text!="),
			[]string{`{"k":1}`, `{"k":2,"a":null}`},
			[]string{"write k=1 @0", "column a (text): field a is null, and the column is NOT NULL @1", "1 rows, 0 skipped, 1 dead"},
		},
		{
			"ignore", &sinkd.Route{Mode: sinkd.Ignore}, keyedTable(1, "k int", "a text", "b text="),
			[]string{`{"k":1,"a":"x"}`, `{"k":1,"a":"y","b":"z"}`, "1 -> nil", `{"k":0}`},
			[]string{"write k=0 a=- @3", "repeated write k=1 a=x @0", "2 rows, 2 skipped, 0 dead"},
		},
		{
			"ignore in order", &sinkd.Route{Mode: sinkd.Ignore}, keyedTable(1, "k int", "a text", "b text="),
			[]string{`{"k":1,"a":"x"}`, `{"k":1,"a":"y"}`, `{"k":2,"a":"z"}`},
			[]string{"repeated write k=1 a=x @0", "write k=2 a=z @2", "2 rows, 1 skipped, 0 dead"},
		},
		{
			"ignore needs NOT NULL", &sinkd.Route{Mode: sinkd.Ignore}, keyedTable(1, "k int", "a text!"),
			[]string{`{"k":1}`},
			[]string{"column a (text): field a is missing, and the column is NOT NULL without a default @0", "0 rows, 0 skipped, 1 dead"},
		},
		{
			"tombstone", upsert(nil), keyedTable(1, "k int", "a text", "b text"),
			[]string{`{"k":1,"a":"x"}`, "1 -> nil", "2 -> nil", `{"k":1,"b":"y"}`, "3 -> nil", "3 -> nil", `{"k":3}`, "3 -> nil"},
			[]string{"delete k=1 @1", "delete k=2 @2", "delete k=3 @7", "write k=1 b=y @3", "8 rows, 0 skipped, 0 dead"},
		},
		{
			"tombstones kept", upsert(func(r *sinkd.Route) { r.Deletes = sinkd.Keep }), keyedTable(1, "k int"),
			[]string{`{"k":1}`, "1 -> nil"},
			[]string{"write k=1 @0", "1 rows, 1 skipped, 0 dead"},
		},
		{
			"tombstone without key", upsert(nil), keyedTable(2, "k int", "l text"),
			[]string{"nil", `{"k":1} -> nil`, `{"k":1,"l":null} -> nil`, `{"k":1,"l":"x"} -> nil`, "1 -> nil", `{"k":"x","l":"x"} -> nil`, `{"k -> nil`},
			[]string{
				"delete k=1 l=x @3",
				"column k (int): the record has no value, and the column is part of the key: the record has no key to take it from @0",
				"column l (text): the record has no value, and the column is part of the key: the record's key does not have it @1",
				"column l (text): the record has no value, and the column is part of the key: in the record's key it is null @2",
				"key is not a JSON object, so none of its fields matches a column @4",
				"column k (int): a string that is not an integer @5",
				"key is not JSON: it ends too early @6",
				"1 rows, 0 skipped, 6 dead",
			},
		},
		{
			"key from the record's key", upsert(nil), keyedTable(1, "k text", "a int"),
			[]string{`x -> {"a":1}`, `"y" -> {"a":2}`, `{"k":"z"} -> {"a":3}`, `7 -> {"a":4}`, `{"k":"no"} -> {"k":"yes"}`, `{"a":5}`, `x -> {"k":null}`, `[1] -> {"a":6}`},
			[]string{
				"write k=7 a=4 @3", "write k=[1] a=6 @7", "write k=x a=1 @0", "write k=y a=2 @1", "write k=z a=3 @2", "write k=yes @4",
				"column k (text): field k is missing, and the column is part of the key: the record has no key to take it from @5",
				"column k (text): field k is null, and a key cannot be @6", "6 rows, 0 skipped, 2 dead",
			},
		},
		{
			"key as JSON", upsert(func(r *sinkd.Route) { r.KeyFormat = "json" }), keyedTable(1, "k text", "a int"),
			[]string{`x -> {"a":1}`, `"x" -> {"a":1}`},
			[]string{"write k=x a=1 @1", "key is not JSON: unexpected character @0", "1 rows, 0 skipped, 1 dead"},
		},
		{
			"key as text", upsert(func(r *sinkd.Route) { r.KeyFormat = "text" }), keyedTable(1, "k text", "a int"),
			[]string{`"x" -> {"a":1}`, "\xff -> nil"},
			[]string{`write k="x" a=1 @0`, "key is not text: invalid UTF-8 @1", "1 rows, 0 skipped, 1 dead"},
		},
		{
			"a column beside the key's source", upsert(func(r *sinkd.Route) { r.Columns = []sinkd.Mapping{{Column: "a", Source: "k"}} }), keyedTable(1, "k int", "a int", "b int"),
			[]string{`5 -> {"b":1}`, `5 -> {"k":6}`},
			[]string{"write k=5 b=1 @0", "write k=6 a=6 @1", "2 rows, 0 skipped, 0 dead"},
		},
		{
			"mapped key", upsert(func(r *sinkd.Route) { r.Columns = []sinkd.Mapping{{Column: "k", Source: "@key"}} }), keyedTable(1, "k text", "a int"),
			[]string{`"x" -> {"a":1}`, `"x" -> nil`},
			[]string{`delete k="x" @1`, "2 rows, 0 skipped, 0 dead"},
		},
		{
			"version", versioned(), keyedTable(1, "k int", "a text", "v int"),
			[]string{`{"k":1,"a":"x","v":2}`, `{"k":1,"a":"y","v":1}`, `{"k":1,"v":2}`, "1 -> nil", `{"k":1,"v":-1}`, `{"k":1}`, `{"k":1,"v":null}`},
			[]string{
				"delete k=1 @3", "repeated write k=1 v=-1 @4",
				"column v (int): field v is missing, and it is the version that tells which of two records is newer @5",
				"column v (int): field v is null, and it is the version that tells which of two records is newer @6",
				"4 rows, 1 skipped, 2 dead",
			},
		},
		{
			"versions with gaps cannot be folded", versioned(), keyedTable(1, "k int", "a text", "v int"),
			[]string{`{"k":2,"a":"x","v":1}`, `{"k":1,"a":"x","v":2}`, `{"k":1,"v":3}`, "1 -> nil"},
			[]string{"unfolded delete k=1 @3", "unfolded write k=2 v=1 a=x @0", "unfolded write k=1 v=2 a=x @1", "unfolded write k=1 v=3 @2", "4 rows, 0 skipped, 0 dead"},
		},
		{
			"soft", soft(), keyedTable(1, "k int", "a text", "gone bool"),
			[]string{`{"k":1,"a":"x","gone":true}`, "1 -> nil", "2 -> nil", "3 -> nil", `{"k":3}`, `{"k":4,"a":"x"}`, "4 -> nil", `{"k":4}`},
			[]string{"mark k=2 gone=true @2", "write k=1 gone=true a=x @1", "repeated write k=4 gone=false a=x @7", "write k=3 gone=false @4", "8 rows, 0 skipped, 0 dead"},
		},
		{
			"soft by time", soft(), keyedTable(1, "k int", "a text", "gone timestamptz"),
			[]string{`{"k":1,"a":"x"}`, "1 -> nil", "2 -> nil", `{"k":3}`},
			[]string{"mark k=2 gone=00:00:01 @2", "write k=1 gone=00:00:01 a=x @1", "write k=3 gone=- @3", "4 rows, 0 skipped, 0 dead"},
		},
		{
			"soft and versions", upsert(func(r *sinkd.Route) { r.Deletes, r.DeletedColumn, r.Version = sinkd.Soft, "gone", "v" }), keyedTable(1, "k int", "v int", "gone bool"),
			[]string{`{"k":1,"v":1}`, "1 -> nil", `{"k":1,"v":0}`, "2 -> nil", `{"k":2,"v":1}`},
			[]string{"mark k=1 gone=true @1", "mark k=2 gone=true @3", "repeated write k=1 v=1 gone=true @1", "write k=2 v=1 gone=false @4", "4 rows, 1 skipped, 0 dead"},
		},
		{
			"unfolded", upsert(nil), keyedTable(1, "k numeric", "a int"),
			[]string{`{"k":"NaN","a":1}`, `"NaN" -> nil`, `{"k":"NaN","a":2}`, `{"a":2}`},
			[]string{
				"unfolded delete k=\x00\x00\x00\x00\xc0\x00\x00\x00 @1", "unfolded write k=\x00\x00\x00\x00\xc0\x00\x00\x00 a=1 @0", "unfolded write k=\x00\x00\x00\x00\xc0\x00\x00\x00 a=2 @2",
				"column k (numeric): field k is missing, and the column is part of the key: the record has no key to take it from @3", "3 rows, 0 skipped, 1 dead",
			},
		},
		{
			"signs", upsert(nil), keyedTable(2, "k int", "l bigint"),
			[]string{`{"k":-1,"l":5}`, `{"k":-2,"l":0}`, `{"k":1,"l":0}`, `{"k":-1,"l":-5}`, `{"k":0,"l":0}`},
			[]string{"write k=-2 l=0 @1", "write k=-1 l=-5 @3", "write k=-1 l=5 @0", "write k=0 l=0 @4", "write k=1 l=0 @2", "5 rows, 0 skipped, 0 dead"},
		},
		{
			"landing", upsert(nil), &sinkd.Table{Columns: sinkd.Landing(), Key: []string{"kafka_topic", "kafka_partition", "kafka_offset"}},
			[]string{"x -> nil"},
			[]string{"write kafka_topic=topic kafka_partition=0 kafka_offset=0 kafka_timestamp=00:00:01 kafka_key=x kafka_headers=\x01[] value=- @0", "1 rows, 0 skipped, 0 dead"},
		},
		{
			"landing by key", upsert(nil), &sinkd.Table{Columns: sinkd.Landing(), Key: []string{"kafka_key"}},
			[]string{"x -> nil"},
			[]string{"delete kafka_key=x @0", "1 rows, 0 skipped, 0 dead"},
		},
	} {
		if diff := cmp.Diff(c.want, foldOf(t, c.route, c.table, c.messages...)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestSupplyRefusesKeys(t *testing.T) {
	for _, c := range []struct {
		route *sinkd.Route
		table *sinkd.Table
		want  string
	}{
		{&sinkd.Route{Mode: sinkd.Upsert}, &sinkd.Table{Columns: table("a int").Columns, Key: []string{"b"}}, `the key's column "b" does not exist`},
		{&sinkd.Route{Mode: sinkd.Upsert}, keyedTable(1, "a int*"), `the key's column "a" is generated`},
		{&sinkd.Route{Mode: sinkd.Ignore, KeyFormat: "avro"}, keyedTable(1, "a int"), `key format avro is not supported yet`},
		{&sinkd.Route{Mode: sinkd.Upsert, Version: "b"}, keyedTable(1, "a int"), `SINKD_VERSION_COLUMN names column "b", which does not exist`},
		{&sinkd.Route{Mode: sinkd.Upsert, Version: "a"}, keyedTable(1, "a int"), `column "a" is part of the key, so it cannot be its version`},
		{&sinkd.Route{Mode: sinkd.Upsert, Version: "b"}, keyedTable(1, "a int", "b text"), `SINKD_VERSION_COLUMN names column "b" of type text; a version is of one of the types smallint,`},
		{&sinkd.Route{Mode: sinkd.Upsert, Version: "b"}, keyedTable(1, "a int", "b int*"), `which is generated`},
		{&sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Soft}, keyedTable(1, "a int"), `SINKD_DELETES=soft needs SINKD_DELETED_COLUMN`},
		{&sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Soft, DeletedColumn: "b"}, keyedTable(1, "a int"), `SINKD_DELETED_COLUMN names column "b", which does not exist`},
		{&sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Soft, DeletedColumn: "b"}, keyedTable(1, "a int", "b text"), `column "b" of type text; its type must be boolean or timestamptz`},
		{&sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Soft, DeletedColumn: "b"}, keyedTable(1, "a int", "b timestamptz!"), `NOT NULL`},
		{&sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Soft, DeletedColumn: "a"}, keyedTable(1, "a int"), `so it cannot mark deleted rows`},
		{&sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Soft, DeletedColumn: "b", Columns: []sinkd.Mapping{{Column: "b", Source: "x"}}}, keyedTable(1, "a int", "b bool"), `which SINKD_DELETES=soft sets`},
	} {
		c.route.Topics = []string{"topic"}
		err := NewEncoder(Options{Routes: []*sinkd.Route{c.route}}).Supply("topic", c.table)
		var e *sinkd.Error
		if !errors.As(err, &e) || e.Class != sinkd.Configuration || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
