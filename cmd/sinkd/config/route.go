package config

import (
	"strings"

	"github.com/sinkd/sinkd"
)

// routes gives the routes, each complete in itself: those of SINKD_ROUTES, or
// the one that the five plain variables describe.
func (c *Config) routes(p *Problems) []*sinkd.Route {
	if c.Variables.Routes == "" {
		if r := c.plain(p); r != nil {
			return []*sinkd.Route{r}
		}
		return nil
	}
	for _, name := range []string{"SINKD_TOPICS", "SINKD_TABLE", "SINKD_MODE", "SINKD_KEY", "SINKD_COLUMNS"} {
		if c.Set(name) {
			p.add(name, "unset it, or unset SINKD_ROUTES", "and SINKD_ROUTES are both set")
		}
	}
	routes := c.all(p)
	if len(routes) == 0 && !p.about("SINKD_ROUTES") {
		p.add("SINKD_ROUTES", "write one like orders -> sales.orders", "holds no route")
	}
	for _, met := range collisions(routes) {
		p.add("SINKD_ROUTES", "give one of them another table, or make them one route", "%s and %s would both go into table %s", met.x, met.y, met.table)
	}
	c.idle(routes, p)
	return routes
}

// plain is the route of the five plain variables, nil without topics.
func (c *Config) plain(p *Problems) *sinkd.Route {
	if c.Topics == "" {
		return nil
	}
	d := c.draft(p)
	if wrong, fix := topics(c.Topics, d.route); wrong != "" {
		p.add("SINKD_TOPICS", fix, "%s", wrong)
	}
	if wrong, fix := table(c.Variables.Table, d.route); wrong != "" {
		p.add("SINKD_TABLE", fix, "%s", wrong)
	}
	for _, name := range optionNames() {
		if value, set := c.environ.values[variable(name)]; set && !p.about(variable(name)) && !c.environ.off[variable(name)] {
			d.own[name] = value
		}
	}
	return d.finish()
}

// all are the routes of SINKD_ROUTES, those without problems.
func (c *Config) all(p *Problems) []*sinkd.Route {
	var routes []*sinkd.Route
	text := strings.ReplaceAll(c.Variables.Routes, ";", "\n")
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if r := c.written(line, p); r != nil {
			routes = append(routes, r)
		}
	}
	return routes
}

// idle reports variables that are set for all routes, and that none takes up.
func (c *Config) idle(routes []*sinkd.Route, p *Problems) {
	var deletes, column, version bool
	for _, r := range routes {
		deletes = deletes || r.Mode == sinkd.Upsert
		column = column || r.DeletedColumn != ""
		version = version || r.Version != ""
	}
	for _, one := range []struct {
		name, lacks string
		used        bool
	}{
		{"SINKD_DELETES", "is in upsert mode", deletes || c.Deletes == string(sinkd.Keep)},
		{"SINKD_DELETED_COLUMN", "has deletes=soft", column},
		{"SINKD_VERSION_COLUMN", "is in upsert mode", version},
	} {
		if c.Set(one.name) && !one.used && !p.about(one.name) && !p.about("SINKD_ROUTES") {
			p.add(one.name, "unset it", "is set, but no route %s", one.lacks)
		}
	}
}
