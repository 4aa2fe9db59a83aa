package config

import (
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

// create tells whether a missing table of the route is made.
func create(policy string, r *sinkd.Route) bool {
	return policy == "always" || policy == "auto" && strings.Contains(r.Name, placeholder)
}

// collide finds two routes whose topics would meet in one table. Topics of one
// route may: there it was written down.
func collide(routes []*sinkd.Route) (x, y, table string) {
	taken := map[string]string{}
	for i, r := range routes {
		named := topicsOf(r)
		topics := r.Topics
		if !strings.Contains(r.Name, placeholder) {
			topics = []string{named}
		}
		for _, topic := range topics {
			if sinkd.RouteOf(routes[:i], topic) != nil {
				continue
			}
			schema, name := r.Table(topic)
			table = schema + "." + name
			if other, ok := taken[table]; ok {
				return other, named, table
			}
			taken[table] = named
		}
	}
	return "", "", ""
}

// topicsOf gives the left side of a route.
func topicsOf(r *sinkd.Route) string {
	if r.Pattern != nil {
		return "/" + strings.TrimSuffix(strings.TrimPrefix(r.Pattern.String(), "^(?:"), ")$") + "/"
	}
	return strings.Join(r.Topics, ",")
}
