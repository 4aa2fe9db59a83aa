package config_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

// route is what a route is unless something says otherwise.
func route(change func(*sinkd.Route)) *sinkd.Route {
	r := &sinkd.Route{
		Topics: []string{"orders"}, Schema: "public", Name: "{topic}", Mode: sinkd.Append, Create: true,
		Format: "json", KeyFormat: "auto", EpochUnit: "ms",
	}
	change(r)
	return r
}

func TestRoutes(t *testing.T) {
	named := func(r *sinkd.Route) { r.Schema, r.Name, r.Create = "sales", "orders", false }
	for name, test := range map[string]struct {
		environment []string
		want        *sinkd.Route
	}{
		"table": {[]string{"SINKD_TOPICS=orders", "SINKD_TABLE=sales.orders"}, route(named)},
		"case and blanks are kept": {
			[]string{"SINKD_TOPICS=orders", "SINKD_TABLE=All Orders"},
			route(func(r *sinkd.Route) { r.Name, r.Create = "All Orders", false }),
		},
		"always": {
			[]string{"SINKD_TOPICS=orders", "SINKD_TABLE=sales.orders", "SINKD_CREATE_TABLE=always"},
			route(func(r *sinkd.Route) { named(r); r.Create = true }),
		},
		"never": {[]string{"SINKD_TOPICS=orders", "SINKD_CREATE_TABLE=never"}, route(func(r *sinkd.Route) { r.Create = false })},
		"schema and topic": {
			[]string{"SINKD_TOPICS=orders.v1, b", "SINKD_TABLE=raw.{topic}_rows"},
			route(func(r *sinkd.Route) { r.Topics, r.Schema, r.Name = []string{"orders.v1", "b"}, "raw", "{topic}_rows" }),
		},
		"pattern": {
			[]string{"SINKD_TOPICS=/a|ab{1,2}/"},
			route(func(r *sinkd.Route) { r.Topics, r.Pattern = nil, regexp.MustCompile("^(?:a|ab{1,2})$") }),
		},
		"columns": {
			[]string{"SINKD_TOPICS=orders", "SINKD_COLUMNS=city=address.city, seen_at = @timestamp,trace=@headers.trace.id", "SINKD_EPOCH_UNIT=us", "SINKD_NUL=strip"},
			route(func(r *sinkd.Route) {
				r.Columns = []sinkd.Mapping{{Column: "city", Source: "address.city"}, {Column: "seen_at", Source: "@timestamp"}, {Column: "trace", Source: "@headers.trace.id"}}
				r.EpochUnit, r.StripNUL = "us", true
			}),
		},
		"written": {
			[]string{"SINKD_EPOCH_UNIT=s", "SINKD_ROUTES=\n orders -> sales.orders append columns (city=address.city, n = @offset) epoch_unit=ns nul=strip create_table=always;\n"},
			route(func(r *sinkd.Route) {
				named(r)
				r.Columns = []sinkd.Mapping{{Column: "city", Source: "address.city"}, {Column: "n", Source: "@offset"}}
				r.EpochUnit, r.StripNUL, r.Create = "ns", true, true
			}),
		},
		"written pattern": {
			[]string{"SINKD_ROUTES=/clicks-(a|b)/->raw.clicks"},
			route(func(r *sinkd.Route) {
				r.Topics, r.Pattern = nil, regexp.MustCompile("^(?:clicks-(a|b))$")
				r.Schema, r.Name, r.Create = "raw", "clicks", false
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, append(test.environment, "SINKD_KAFKA_BROKERS=kafka:9092", "SINKD_DATABASE_URL=host=db dbname=app")...)
			same := cmp.Comparer(func(a, b *regexp.Regexp) bool { return a == b || a != nil && b != nil && a.String() == b.String() })
			if diff := cmp.Diff([]*sinkd.Route{test.want}, c.Routes, same); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRouteProblems(t *testing.T) {
	long := strings.Repeat("x", 60)
	for routes, want := range map[string]string{
		"orders":                            "orders: a route has no ->",
		" ;":                                "SINKD_ROUTES: holds no route",
		"orders ->":                         "orders: no table is named",
		"orders -> (x)":                     "no table is named",
		"-> sales.orders":                   "no topic is named",
		"orders -> sales.orders columns(x":  "a parenthesis is not closed",
		"orders -> t columns(a)":            `"a" is not a column with its source`,
		"orders -> t merge":                 `"merge" is not an option of a route`,
		"orders -> t append upsert":         "mode is given twice",
		"orders -> t format=json format=x":  "format is given twice",
		"orders -> t upsert(order_id)":      `mode "upsert" is not supported yet; write append`,
		"orders -> t append(order_id)":      "key is not supported yet; leave it out",
		"orders -> t envelope=debezium":     `envelope "debezium" is not supported yet; write none`,
		"orders -> t delivery=idempotent":   `"delivery" is not an option of a route`,
		"orders -> t epoch_unit=":           "each with a value",
		"orders -> {topic}_table_" + long:   "longer than the 63 bytes",
		"orders -> t; orders2 -> u":         "more than one route is not supported yet",
		"orders -> t; orders2 -> public.t":  "orders and orders2 would both go into table public.t",
		"a -> {topic}; /b.*/ -> a":          "a and /b.*/ would both go into table public.a",
		"a -> {topic}_x; a_x, a -> {topic}": "a and a_x,a would both go into table public.a_x",
	} {
		_, err := config.Load([]string{"SINKD_KAFKA_BROKERS=k:1", "SINKD_DATABASE_URL=host=db", "SINKD_ROUTES=" + routes}, config.Flow)
		if !strings.Contains(errorText(err), want) {
			t.Errorf("%s gave\n%v\nand not %q", routes, err, want)
		}
	}
}

// TestOneRouteMayJoinTopics: a table that is written out for several topics is
// no accident.
func TestOneRouteMayJoinTopics(t *testing.T) {
	load(t, append(enough("SINKD_TABLE=both"), "SINKD_TOPICS=a,b")...)
}
