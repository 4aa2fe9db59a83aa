package transform

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

func TestSources(t *testing.T) {
	rec := &sinkd.Record{
		Partition: 3, Timestamp: time.UnixMilli(1_000), Key: []byte("key"), Value: []byte(`{"a" : {"b":"\u0041"},"kafka_topic":"no"}`),
		Headers: []sinkd.Header{{Key: []byte("x"), Value: []byte("1")}, {Key: []byte("x"), Value: []byte("2")}, {Key: []byte("n")}},
	}
	for _, c := range []struct{ column, source, want string }{
		{"c text", "a.b", "A"},
		{"c jsonb", "a.b", "\x01" + `"\u0041"`},
		{"c jsonb", "a", "\x01" + `{"b":"\u0041"}`},
		{"c text", "@topic", "topic"},
		{"c text", "@partition", "3"},
		{"c int", "@offset", "\x00\x00\x00\x00"},
		{"c text", "@timestamp", "1970-01-01T00:00:01Z"},
		{"c bigint", "@timestamp", "\x00\x00\x00\x00\x00\x00\x03\xe8"},
		{"c jsonb", "@timestamp", "\x01" + `"1970-01-01T00:00:01Z"`},
		{"c text", "@key", "key"},
		{"c bytea", "@key", "key"},
		{"c text", "@value", string(rec.Value)},
		{"c bytea", "@value", string(rec.Value)},
		{"c jsonb", "@value", "\x01" + string(rec.Value)},
		{"c text", "@headers", `[["x","1"],["x","2"],["n",null]]`},
		{"c jsonb", "@headers", "\x01" + `[["x","1"],["x","2"],["n",null]]`},
		{"c text", "@headers.x", "2"},
		{"c int", "@headers.x", "\x00\x00\x00\x02"},
		{"c jsonb", "@headers.x", "\x01" + "2"},
		{"c text", "@headers.n", "-"},
		{"c text", "@headers.none", "-"},
		{"kafka_topic text", "", "topic"},
		{"kafka_partition text", "", "3"},
		{"kafka_offset text", "", "0"},
		{"kafka_timestamp text", "", "1970-01-01T00:00:01Z"},
		{"kafka_key bytea", "", "key"},
		{"kafka_headers text", "", `[["x","1"],["x","2"],["n",null]]`},
		{"kafka_topic text", "kafka_topic", "no"},
	} {
		r := &sinkd.Route{}
		if c.source != "" {
			name, _, _ := strings.Cut(c.column, " ")
			r.Columns = []sinkd.Mapping{{Column: name, Source: c.source}}
		}
		b := encode(t, r, table(c.column), rec)
		if len(b.Dead) > 0 {
			t.Errorf("%s from %s: %s", c.column, c.source, b.Dead[0].Reason)
		} else if got := parse(t, &b.Rows[0])[0][0]; got != c.want {
			t.Errorf("%s from %s: %q, want %q", c.column, c.source, got, c.want)
		}
	}
}

func TestHeadersAndKeysThatAreNotText(t *testing.T) {
	rec := &sinkd.Record{
		Key: []byte{0xff, 0}, Value: []byte(`{}`),
		Headers: []sinkd.Header{{Key: []byte("\"\n"), Value: []byte{0xff}}, {Key: []byte("\xff"), Value: []byte("base64:x")}, {Key: []byte(""), Value: []byte{}}, {Key: []byte("0"), Value: []byte{0}}},
	}
	b := encode(t, &sinkd.Route{}, &sinkd.Table{Columns: sinkd.Landing()}, rec)
	got := parse(t, &b.Rows[0])[0]
	want := []string{`\xff00`, "\x01" + `[["\"\u000a","base64:/w=="],["base64:/w==","base64:YmFzZTY0Ong="],["",""],["0","base64:AA=="]]`, "\x01{}"}
	if diff := cmp.Diff(want, got[4:]); diff != "" {
		t.Error(diff)
	}
}

// TestLanding loads records of all kinds into the table that sinkd creates.
func TestLanding(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.exec(`CREATE TABLE landing (kafka_topic text, kafka_partition int, kafka_offset bigint, kafka_timestamp timestamptz, kafka_key text, kafka_headers jsonb, value jsonb)`)
	at := time.UnixMilli(1_700_000_000_123)
	records := []*sinkd.Record{
		{Timestamp: at, Key: []byte("key"), Value: []byte(`{"a": 1.50}`), Headers: []sinkd.Header{{Key: []byte("h"), Value: []byte("v")}}},
		{Timestamp: at, Key: []byte{0}, Value: nil},
		{Timestamp: at, Value: []byte(` null `)},
		{Timestamp: at, Value: []byte(`not JSON`)},
		{Timestamp: at, Key: []byte{}, Value: []byte(`"\u0000"`)},
		{Timestamp: at, Key: []byte{}, Value: []byte(`[1]`)},
	}
	b := encode(t, &sinkd.Route{}, &sinkd.Table{Schema: "public", Name: "landing", Columns: sinkd.Landing()}, records...)
	s.copy(&b.Rows[0])
	if len(b.Dead) != 2 {
		t.Error(b.Dead)
	}
	rows, _ := s.conn.Query(t.Context(), `SELECT format('%s|%s|%s|%s|%s|%s|%s', kafka_topic, kafka_partition, kafka_offset, kafka_timestamp,
coalesce(kafka_key, 'NULL'), kafka_headers, coalesce(value::text, 'NULL')) FROM landing ORDER BY kafka_offset`)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`topic|0|0|2023-11-14 22:13:20.123+00|key|[["h", "v"]]|{"a": 1.50}`,
		`topic|0|1|2023-11-14 22:13:20.123+00|\x00|[]|NULL`,
		`topic|0|2|2023-11-14 22:13:20.123+00|NULL|[]|null`,
		`topic|0|5|2023-11-14 22:13:20.123+00||[]|[1]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
