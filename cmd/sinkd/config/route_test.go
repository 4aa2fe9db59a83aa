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
		Format: "json", KeyFormat: "auto", EpochUnit: "ms", Unknown: sinkd.IgnoreFields,
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
		"upsert": {
			[]string{"SINKD_TOPICS=orders", "SINKD_MODE=upsert", "SINKD_KEY=order_id, region", "SINKD_VERSION_COLUMN=v", "SINKD_UNKNOWN_FIELDS=add-column"},
			route(func(r *sinkd.Route) {
				r.Mode, r.Create, r.Deletes = sinkd.Upsert, false, sinkd.Remove
				r.Key, r.Version, r.Unknown = []string{"order_id", "region"}, "v", sinkd.AddColumns
			}),
		},
		"soft deletes": {
			[]string{"SINKD_TOPICS=orders", "SINKD_MODE=upsert", "SINKD_DELETES=soft", "SINKD_DELETED_COLUMN=gone"},
			route(func(r *sinkd.Route) {
				r.Mode, r.Create, r.Deletes, r.DeletedColumn = sinkd.Upsert, false, sinkd.Soft, "gone"
			}),
		},
		"ignore": {
			[]string{"SINKD_TOPICS=orders", "SINKD_MODE=ignore", "SINKD_DELETES=false", "SINKD_FORMAT=text", "SINKD_KEY_FORMAT=json"},
			route(func(r *sinkd.Route) { r.Mode, r.Create, r.Format, r.KeyFormat = sinkd.Ignore, false, "text", "json" }),
		},
		"written upsert": {
			[]string{"SINKD_DELETES=true", "SINKD_VERSION_COLUMN=v", "SINKD_ROUTES=orders -> sales.orders upsert (order_id, region) deletes=soft(gone at) unknown_fields=dead-letter key_format=json"},
			route(func(r *sinkd.Route) {
				named(r)
				r.Mode, r.Key, r.Version = sinkd.Upsert, []string{"order_id", "region"}, "v"
				r.Deletes, r.DeletedColumn, r.Unknown, r.KeyFormat = sinkd.Soft, "gone at", sinkd.RefuseFields, "json"
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
		"orders -> t append(order_id)":      "orders: key is set, but rows are appended, which takes no key; leave out key, or write upsert or ignore",
		"orders -> t upsert()":              "each with a value",
		"orders -> t upsert(,)":             "key names no column",
		"orders -> t upsert(a, a)":          "key names column a twice",
		"orders -> t upsert key=a,\"b\"":    "key has a column that cannot be",
		"orders -> t envelope=debezium":     `envelope "debezium" is not supported yet; write none`,
		"orders -> t delivery=idempotent":   `"delivery" is not an option of a route`,
		"orders -> t epoch_unit=":           "each with a value",
		"orders -> {topic}_table_" + long:   "longer than the 63 bytes",
		"orders -> t; orders2 -> public.t":  "orders and orders2 would both go into table public.t",
		"a -> {topic}; /b.*/ -> a":          "a and /b.*/ would both go into table public.a",
		"a -> {topic}_x; a_x, a -> {topic}": "a and a_x,a would both go into table public.a_x",
		"a,b -> t; b -> u; c -> t":          "a,b and c would both go into table public.t",

		"o -> t deletes=true":                             "deletes is true, but only upsert mode deletes; leave out deletes, or write upsert",
		"o -> t ignore deletes=soft(x)":                   "deletes is soft, but only upsert mode deletes",
		"o -> t deleted_column=x":                         "deleted_column is set, but only upsert mode deletes",
		"o -> t upsert deleted_column=x":                  "deleted_column is set, but deletes is true; leave out deleted_column, or write deletes=soft",
		"o -> t upsert deletes=soft":                      "deleted_column is required with deletes=soft; name a column",
		"o -> t upsert(id) deletes=soft(id)":              "deleted_column is id, which is a column of the key too",
		"o -> t upsert(id) columns(x=y) deletes=soft(x)":  "deleted_column is x, which columns gives a source",
		"o -> t upsert deletes=perhaps":                   `deletes "perhaps" is not one of its values; write true, soft or false`,
		"o -> t version_column=v":                         "version_column is set, but only upsert mode compares versions",
		"o -> t ignore version_column=v":                  "version_column is set, but only upsert mode",
		"o -> t upsert(v) version_column=v":               "version_column is v, which is a column of the key too",
		"o -> t upsert deletes=soft(v) version_column=v":  "version_column is v, which is deleted_column too",
		"o -> t upsert(id) create_table=always":           `create_table is always, but a table that sinkd makes has no key, and mode "upsert" needs one`,
		"o -> t format=text unknown_fields=add-column":    "unknown_fields is add-column, but values in format text have no fields",
		"o -> t format=bytes columns(a=b)":                "columns takes a from the field b, but values in format bytes have no fields; write @value",
		"o -> t format=protobuf":                          `format "protobuf" is not supported yet; write json, text or bytes`,
		"o -> t key_format=bytes":                         `key_format "bytes" is not supported yet; write auto, json or text`,
		"o -> t unknown_fields=add":                       "write ignore, dead-letter or add-column",
		"o -> t deletes=soft(a) deleted_column=b upsert":  "deleted_column is given twice",
		"o -> t append version_column=v\nx -> y mode=fly": "version_column is set",
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

// TestSharedOptions: what the variables say of all routes is meant for those
// that it fits, and refused where it fits none.
func TestSharedOptions(t *testing.T) {
	shared := []string{"SINKD_KAFKA_BROKERS=k:1", "SINKD_DATABASE_URL=host=db", "SINKD_DELETES=soft", "SINKD_DELETED_COLUMN=gone", "SINKD_VERSION_COLUMN=v"}
	c := load(t, append(shared, "SINKD_ROUTES=a -> a; b -> b upsert; c -> c upsert deletes=false; d -> d ignore; /a|.*/ -> a2")...)
	for i, want := range []sinkd.Route{
		{Mode: sinkd.Append},
		{Mode: sinkd.Upsert, Deletes: sinkd.Soft, DeletedColumn: "gone", Version: "v"},
		{Mode: sinkd.Upsert, Deletes: sinkd.Keep, Version: "v"},
		{Mode: sinkd.Ignore},
		{Mode: sinkd.Append},
	} {
		r := c.Routes[i]
		if r.Mode != want.Mode || r.Deletes != want.Deletes || r.DeletedColumn != want.DeletedColumn || r.Version != want.Version {
			t.Errorf("route %d: %+v", i, r)
		}
	}
	_, err := config.Load(append(shared, "SINKD_ROUTES=a -> a; d -> d ignore"), config.Flow)
	for _, want := range []string{
		"SINKD_DELETES: is set, but no route is in upsert mode; unset it",
		"SINKD_DELETED_COLUMN: is set, but no route has deletes=soft; unset it",
		"SINKD_VERSION_COLUMN: is set, but no route is in upsert mode; unset it",
	} {
		if !strings.Contains(errorText(err), want) {
			t.Errorf("%q is missing in\n%v", want, err)
		}
	}
}

// TestAllRoutesAreReported: one problem does not hide the next, in the same
// route or another.
func TestAllRoutesAreReported(t *testing.T) {
	_, err := config.Load([]string{
		"SINKD_KAFKA_BROKERS=k:1", "SINKD_DATABASE_URL=host=db",
		"SINKD_ROUTES=a b -> x.y.z append(id) fly version_column=v deletes=true; c; d -> d; e -> d; f -> d format=avro",
	}, config.Flow)
	for _, want := range []string{
		`a b: "a b" is not a topic's name`, `a b: "x.y.z" has more than one dot`, "a b: key is set", `a b: "fly" is not an option`,
		"a b: version_column is set", "a b: deletes is true", "c: a route has no ->", "d and e would both go", `f: format "avro" is not supported yet`,
	} {
		if !strings.Contains(errorText(err), "SINKD_ROUTES: "+want) {
			t.Errorf("%q is missing in\n%v", want, err)
		}
	}
}

// TestShadowedRoutesAreFine: a route none of whose topics is left to it goes
// into no table.
func TestShadowedRoutesAreFine(t *testing.T) {
	for _, routes := range []string{
		"a,b -> t; b,a -> t", "a -> t; a -> u; a -> t", "/x.*/ -> t; /x.*/ -> t", "/.*/ -> {topic}; /y/ -> u; z -> u", "a -> t; /a/ -> u",
	} {
		load(t, "SINKD_KAFKA_BROKERS=k:1", "SINKD_DATABASE_URL=host=db", "SINKD_ROUTES="+routes)
	}
}

// TestDescribe: what Describe writes is read as the same route.
func TestDescribe(t *testing.T) {
	base := []string{"SINKD_KAFKA_BROKERS=k:1", "SINKD_DATABASE_URL=host=db"}
	for text, want := range map[string]string{
		"a, b -> {topic}": "a,b -> public.{topic} append unknown_fields=ignore format=json key_format=auto epoch_unit=ms nul=dead-letter create_table=always",
		"/x(y|z)/ -> s.t upsert(a,b) columns(c=d.e,f=@headers.g) deletes=soft(h) version_column=v nul=strip": "/x(y|z)/ -> s.t upsert(a, b) columns(c=d.e, f=@headers.g) deletes=soft(h) version_column=v unknown_fields=ignore format=json key_format=auto epoch_unit=ms nul=strip create_table=never",
		"a -> t upsert deletes=false": "a -> public.t upsert deletes=false unknown_fields=ignore format=json key_format=auto epoch_unit=ms nul=dead-letter create_table=never",
		"a -> t ignore format=text":   "a -> public.t ignore unknown_fields=ignore format=text key_format=auto epoch_unit=ms nul=dead-letter create_table=never",
	} {
		once := config.Describe(load(t, append(base, "SINKD_ROUTES="+text)...).Routes[0])
		if once != want {
			t.Errorf("%s\nis described as %s\nand not         %s", text, once, want)
		}
		if twice := config.Describe(load(t, append(base, "SINKD_ROUTES="+once)...).Routes[0]); twice != once {
			t.Errorf("%s\nis read as %s", once, twice)
		}
	}
}
