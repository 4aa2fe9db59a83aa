package transform

import (
	"errors"
	"strings"
	"testing"

	"github.com/sinkd/sinkd"
)

func TestSupplyRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		route   *sinkd.Route
		columns []string
		want    string
	}{
		{"no column", &sinkd.Route{}, []string{"a text*"}, "table public.t: no column of the table can be written"},
		{"unknown", &sinkd.Route{Columns: []sinkd.Mapping{{Column: "custmer", Source: "x"}}}, []string{"customer text", "id int"}, `table public.t: SINKD_COLUMNS names column "custmer", which does not exist; did you mean customer?`},
		{"unknown, nothing near", &sinkd.Route{Columns: []sinkd.Mapping{{Column: "xyz", Source: "x"}}}, []string{"customer text", "id int"}, "its columns are customer, id"},
		{"generated", &sinkd.Route{Columns: []sinkd.Mapping{{Column: "b", Source: "x"}}}, []string{"a text", "b int*"}, `SINKD_COLUMNS names column "b", which is generated, so Postgres fills it by itself`},
		{"twice", &sinkd.Route{Columns: []sinkd.Mapping{{Column: "a", Source: "x"}, {Column: "a", Source: "y"}}}, []string{"a text"}, `SINKD_COLUMNS names column "a" twice`},
		{"source", &sinkd.Route{Columns: []sinkd.Mapping{{Column: "a", Source: "@time"}}}, []string{"a text"}, `column "a" takes its value from @time, which does not exist; the sources are a field's path and @topic, @partition`},
		{"path", &sinkd.Route{Columns: []sinkd.Mapping{{Column: "a", Source: "x..y"}}}, []string{"a text"}, `column "a" takes its value from x..y, which is not a path; write it as field or field.field`},
		{"no key", &sinkd.Route{Mode: sinkd.Upsert}, []string{"a text"}, "mode upsert needs a key, and the table has no primary key; give the table a primary key, name the key's columns in SINKD_KEY, or use SINKD_MODE=append"},
		{"format", &sinkd.Route{Format: "avro"}, []string{"a text"}, "format avro is not supported yet"},
	} {
		c.route.Topics = []string{"topic"}
		err := NewEncoder(Options{Routes: []*sinkd.Route{c.route}}).Supply("topic", table(c.columns...))
		var e *sinkd.Error
		if !errors.As(err, &e) || e.Class != sinkd.Configuration || e.Kind != sinkd.Refused || e.Topic != "topic" || e.Table != "public.t" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	err := NewEncoder(Options{}).Supply("topic", table("a text"))
	if err == nil || !strings.Contains(err.Error(), "no route takes topic topic") {
		t.Error(err)
	}
}
