package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sinkd/sinkd"
)

// placeholder stands for the topic's name in a table's name.
const placeholder = "{topic}"

// table reads table or schema.table into the route. Only a dot that is
// written out separates: the topic's name is one identifier, whatever it holds.
func table(text string, r *sinkd.Route) (wrong, fix string) {
	schema, name, dot := strings.Cut(text, ".")
	if !dot {
		schema, name = "public", text
	}
	switch {
	case strings.Contains(name, "."):
		return strconv.Quote(text) + " has more than one dot", "write table or schema.table"
	case strings.Contains(schema, placeholder):
		return strconv.Quote(text) + " has {topic} in the schema's name", "write out the schema, as in raw.{topic}"
	}
	bare := strings.ReplaceAll(name, placeholder, "")
	if strings.ContainsAny(schema+bare, "{}") {
		return strconv.Quote(text) + " holds braces that are not {topic}", "write {topic} where the topic's name belongs"
	}
	if name != "" && bare == "" {
		bare = "t"
	}
	for _, part := range []string{schema, bare} {
		if wrong, fix = identifier(part); wrong != "" {
			return wrong, fix
		}
	}
	r.Schema, r.Name = schema, name
	return fits(r)
}

// fits checks the names that the route's known topics give.
func fits(r *sinkd.Route) (wrong, fix string) {
	for _, topic := range r.Topics {
		if _, name := r.Table(topic); len(name) > 63 {
			return "the table's name for topic " + topic + " is longer than the 63 bytes that PostgreSQL keeps of a name",
				"write out a shorter name for it"
		}
	}
	return "", ""
}

// collision is two routes, named by their topics, that would meet in one table.
type collision struct{ x, y, table string }

// collisions finds routes whose topics would meet in one table. Topics of one
// route may: there it was written down. What an earlier route takes does not
// count.
func collisions(routes []*sinkd.Route) []collision {
	var met []collision
	taken := map[string]string{}
	for i, r := range routes {
		named := topicsOf(r)
		for _, table := range tables(routes[:i], r) {
			if other, ok := taken[table]; ok && other != named {
				met = append(met, collision{other, named, table})
			}
			taken[table] = named
		}
	}
	return met
}

// tables are the tables that the route is known to write, given the routes
// before it.
func tables(before []*sinkd.Route, r *sinkd.Route) []string {
	var names []string
	add := func(topic string) {
		schema, name := r.Table(topic)
		if table := schema + "." + name; !slices.Contains(names, table) {
			names = append(names, table)
		}
	}
	if r.Pattern != nil && !strings.Contains(r.Name, placeholder) && !covered(before, r) {
		add("")
	}
	for _, topic := range r.Topics {
		if sinkd.RouteOf(before, topic) == nil {
			add(topic)
		}
	}
	return names
}

// covered tells that an earlier route has the same pattern, or one that takes
// every name.
func covered(before []*sinkd.Route, r *sinkd.Route) bool {
	return slices.ContainsFunc(before, func(b *sinkd.Route) bool {
		return b.Pattern != nil && (b.Pattern.String() == r.Pattern.String() || b.Pattern.String() == "^(?:.*)$")
	})
}

// topicsOf gives the left side of a route.
func topicsOf(r *sinkd.Route) string {
	if r.Pattern != nil {
		return "/" + strings.TrimSuffix(strings.TrimPrefix(r.Pattern.String(), "^(?:"), ")$") + "/"
	}
	return strings.Join(r.Topics, ",")
}
