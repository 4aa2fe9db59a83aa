package integration_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/sinkd/sinkd"
)

// foldTable is a table, and the way by which a log is folded into it.
type foldTable struct {
	name  string
	route *sinkd.Route
	keys  []foldKey
	// version and deleted are the types of the columns v and gone, empty where
	// the table has none.
	version, deleted string
}

// foldPartitions is the number of partitions of each table's topic.
const foldPartitions = 2

// foldKey is a type that a column of the key has.
type foldKey struct {
	ddl string
	// spell gives a JSON value for key number i, one of those that are equal.
	spell func(r *rand.Rand, i int) string
	// shown is what Postgres shows of a value; two are equal where same gives
	// equal texts for what is shown of them.
	shown, same func(string) string
}

// foldKeys are the types by their names.
func foldKeys() map[string]foldKey {
	itself := func(s string) string { return s }
	return map[string]foldKey{
		"bigint": {"bigint", spelled(`%d`, `%d.0`, `"%d"`, `%d.0e0`), rational, itself},
		"text":   {"text", spelled(`"key é %d"`, `"key \u00e9 %d"`), itself, itself},
		"uuid": {
			"uuid", spelled(`"00000000-ABCD-4000-8000-%012d"`, `"00000000-abcd-4000-8000-%012d"`, `"00000000abcd40008000%012d"`),
			hyphened, itself,
		},
		"numeric":  {"numeric", spelled(`%d`, `%d.0`, `"%d.00"`, `%d.000`), itself, rational},
		"caseless": {"text COLLATE caseless", spelled(`"key%d"`, `"Key%d"`, `"KEY%d"`), itself, strings.ToLower},
		"char":     {"char(8)", spelled(`"k%d"`, `"k%d  "`), func(s string) string { return strings.TrimRight(s, " ") }, itself},
	}
}

// spelled draws one of the forms.
func spelled(forms ...string) func(*rand.Rand, int) string {
	return func(r *rand.Rand, i int) string { return fmt.Sprintf(forms[r.IntN(len(forms))], i) }
}

// rational gives a number without the zeros that do not matter.
func rational(s string) string {
	n, ok := new(big.Rat).SetString(s)
	if !ok {
		panic("not a number: " + s)
	}
	return n.RatString()
}

func hyphened(s string) string {
	s = strings.ToLower(strings.ReplaceAll(s, "-", ""))
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// foldTables are the tables of writer n: half of the keys, each in another way,
// so that all writers together have all keys in all ways. A session has a
// temporary table for each list of columns, and what it costs to empty them all
// is paid at each COMMIT: hence no writer has all.
func foldTables(n int) []*foldTable {
	ways := foldWays()
	keys := foldKeys()
	var tables []*foldTable
	for i, types := range [][]string{
		{"bigint", "text", "caseless", "bigint text"},
		{"uuid", "numeric", "char", "caseless numeric"},
	}[n%2] {
		t := ways[(n/2+i)%len(ways)]
		t.name = fmt.Sprintf("fold%d", i)
		for _, name := range strings.Fields(types) {
			t.keys = append(t.keys, keys[name])
		}
		r := *t.route
		r.Topics, r.Schema, r.Name = []string{t.name}, "public", t.name
		r.Key = t.keyColumns()
		if t.version != "" {
			r.Version = "v"
		}
		if t.deleted != "" {
			r.DeletedColumn = "gone"
		}
		t.route = &r
		tables = append(tables, &t)
	}
	return tables
}

// foldWays are the ways in which a log may be folded into a table.
func foldWays() []foldTable {
	return []foldTable{
		{route: &sinkd.Route{Mode: sinkd.Upsert}},
		{route: &sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Keep}},
		{route: &sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Soft}, deleted: "boolean"},
		{route: &sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Soft}, deleted: "timestamptz"},
		{route: &sinkd.Route{Mode: sinkd.Upsert}, version: "bigint"},
		{route: &sinkd.Route{Mode: sinkd.Upsert}, version: "numeric"},
		{route: &sinkd.Route{Mode: sinkd.Upsert, Deletes: sinkd.Soft}, deleted: "boolean", version: "bigint"},
		{route: &sinkd.Route{Mode: sinkd.Ignore}},
	}
}

func (t *foldTable) keyColumns() []string {
	var names []string
	for i := range t.keys {
		names = append(names, fmt.Sprintf("k%d", i+1))
	}
	return names
}

// ddl makes the table. The key is neither first nor in the route's order.
func (t *foldTable) ddl() string {
	columns := []string{"a text"}
	for i, name := range t.keyColumns() {
		columns = append(columns, name+" "+t.keys[i].ddl)
	}
	columns = append(columns, "n bigint DEFAULT 7", "b numeric DEFAULT 1.50", "c boolean", "p integer CHECK (p > 0)")
	if t.version != "" {
		columns = append(columns, "v "+t.version)
	}
	if t.deleted != "" {
		columns = append(columns, "gone "+t.deleted)
	}
	key := t.keyColumns()
	slices.Reverse(key)
	return fmt.Sprintf("CREATE TABLE %s (%s, PRIMARY KEY (%s))", t.name, strings.Join(columns, ", "), strings.Join(key, ", "))
}

// columns are all columns, the key's first.
func (t *foldTable) columns() []string {
	names := append(t.keyColumns(), "a", "n", "b", "c", "p")
	if t.version != "" {
		names = append(names, "v")
	}
	if t.deleted != "" {
		names = append(names, "gone")
	}
	return names
}

// soft tells whether a tombstone marks the row.
func (t *foldTable) soft() bool { return t.route.Deletes == sinkd.Soft }

// key gives the shown values of a record's key, and what tells it from others.
func (t *foldTable) key(value, key map[string]any) (shown []string, id string) {
	for i, name := range t.keyColumns() {
		v, ok := value[name]
		if !ok {
			v = key[name]
		}
		shown = append(shown, t.keys[i].shown(textOf(v)))
		id += t.keys[i].same(shown[i]) + "|"
	}
	return shown, id
}

// textOf is a scalar as text.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return fmt.Sprint(v)
}
