package transform

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sinkd/sinkd"
)

func TestOpaqueValues(t *testing.T) {
	byMap := []sinkd.Mapping{{Column: "b", Source: "@value"}}
	for _, c := range []struct {
		name     string
		route    *sinkd.Route
		table    *sinkd.Table
		messages []string
		want     []string
	}{
		{
			"text", &sinkd.Route{Format: "text"}, table("a text", "kafka_offset bigint", "g text*"),
			[]string{`{"a":1}`, "", "\xff", "\x00\x00\x00\x00\x01\xff", "nil", "a\x00"},
			[]string{
				`write a={"a":1} kafka_offset=0 @0`, "write a= kafka_offset=1 @1", "value is not text: invalid UTF-8 @2", "value is not text: invalid UTF-8 @3",
				"column a (text): a string that holds a NUL character, which Postgres's text cannot; SINKD_NUL=strip takes it out @5", "2 rows, 1 skipped, 3 dead",
			},
		},
		{
			"text into a number", &sinkd.Route{Format: "text"}, table("a int"),
			[]string{"42", "x"},
			[]string{"write a=42 @0", "column a (int): a string that is not an integer @1", "1 rows, 0 skipped, 1 dead"},
		},
		{"text by name", &sinkd.Route{Format: "text"}, table("a text", "value text"), []string{"x"}, []string{"write a=- value=x @0", "1 rows, 0 skipped, 0 dead"}},
		{"text by mapping", &sinkd.Route{Format: "text", Columns: byMap}, table("a text=", "b text", "value text="), []string{"x"}, []string{"write b=x @0", "1 rows, 0 skipped, 0 dead"}},
		{
			"text into JSON", &sinkd.Route{Format: "text"}, table("a jsonb"),
			[]string{"x\"y", "a\x00"},
			[]string{"write a=\x01\"x\\\"y\" @0", "column a (jsonb): a JSON value that holds an escaped NUL, which Postgres cannot; SINKD_NUL=strip does not reach into JSON @1", "1 rows, 0 skipped, 1 dead"},
		},
		{
			"text by key", &sinkd.Route{Format: "text", Mode: sinkd.Upsert}, keyedTable(1, "k text", "a text"),
			[]string{"k -> x", "k -> y", "l -> nil"},
			[]string{"delete k=l @2", "repeated write k=k a=y @1", "3 rows, 0 skipped, 0 dead"},
		},
		{"bytes", &sinkd.Route{Format: "bytes"}, table("a bytea"), []string{"\xff\x00"}, []string{"write a=\xff\x00 @0", "1 rows, 0 skipped, 0 dead"}},
		{"bytes into JSON", &sinkd.Route{Format: "bytes"}, table("a jsonb"), []string{"hi"}, []string{"write a=\x01\"\\\\x6869\" @0", "1 rows, 0 skipped, 0 dead"}},
		{"landing text", &sinkd.Route{Format: "text"}, &sinkd.Table{Columns: sinkd.Landing()[5:]}, []string{"x"}, []string{"write kafka_headers=\x01[] value=\x01\"x\" @0", "1 rows, 0 skipped, 0 dead"}},
	} {
		if diff := cmp.Diff(c.want, foldOf(t, c.route, c.table, c.messages...)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestSupplyRefusesOpaque(t *testing.T) {
	for _, c := range []struct {
		route *sinkd.Route
		table *sinkd.Table
		want  string
	}{
		{&sinkd.Route{Format: "text"}, table("a text", "b text"), "with SINKD_FORMAT=text a value fills one column, and 2 could take it; name one: SINKD_COLUMNS=column=@value"},
		{&sinkd.Route{Format: "bytes"}, table("kafka_key text"), "and 0 could take it"},
		{&sinkd.Route{Format: "bytes", Columns: []sinkd.Mapping{{Column: "a", Source: "x.y"}}}, table("a text"), "a value has no fields"},
	} {
		c.route.Topics = []string{"topic"}
		err := NewEncoder(Options{Routes: []*sinkd.Route{c.route}}).Supply("topic", c.table)
		var e *sinkd.Error
		if !errors.As(err, &e) || e.Class != sinkd.Configuration || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// TestOpaqueLanding loads text and bytes into the table that sinkd creates, and
// casts what came of them back.
func TestOpaqueLanding(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.exec(`CREATE TABLE landing (kafka_topic text, kafka_partition int, kafka_offset bigint, kafka_timestamp timestamptz, kafka_key text, kafka_headers jsonb, value jsonb)`)
	for format, cast := range map[string]string{"text": "value #>> '{}'", "bytes": "convert_from((value #>> '{}')::bytea, 'utf8')"} {
		s.exec("TRUNCATE landing")
		want := "a \"text\"\n\\ of é"
		b := encode(t, &sinkd.Route{Format: format}, &sinkd.Table{Schema: "public", Name: "landing", Columns: sinkd.Landing()}, &sinkd.Record{Value: []byte(want)})
		s.copy(&b.Rows[0])
		var got string
		if err := s.conn.QueryRow(t.Context(), "SELECT "+cast+" FROM landing").Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q, %v", format, got, err)
		}
	}
}
