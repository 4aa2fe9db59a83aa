package config

import (
	"strings"

	"github.com/sinkd/sinkd"
)

// routes gives the routes, each complete in itself: those of SINKD_ROUTES, or
// the one that the five plain variables describe.
func (c *Config) routes(p *Problems) []*sinkd.Route {
	if c.Variables.Routes == "" {
		if r := c.plainRoute(p); r != nil {
			return []*sinkd.Route{r}
		}
		return nil
	}
	for _, name := range []string{"SINKD_TOPICS", "SINKD_TABLE", "SINKD_MODE", "SINKD_KEY", "SINKD_COLUMNS"} {
		if c.Set(name) {
			p.add(name, "unset it, or unset SINKD_ROUTES", "and SINKD_ROUTES are both set")
		}
	}
	routes := c.written(p)
	if len(routes) == 0 && !p.about("SINKD_ROUTES") {
		p.add("SINKD_ROUTES", "write one like orders -> sales.orders", "holds no route")
	}
	if x, y, table := collide(routes); table != "" {
		p.add("SINKD_ROUTES", "give one of them another table, or make them one route", "%s and %s would both go into table %s", x, y, table)
	}
	if len(routes) > 1 {
		p.add("SINKD_ROUTES", "run a pipeline for each", "more than one route is not supported yet")
	}
	return routes
}

// plainRoute is the route of the five plain variables, nil without topics.
func (c *Config) plainRoute(p *Problems) *sinkd.Route {
	if c.Topics == "" {
		return nil
	}
	r := c.bare()
	r.Mode = sinkd.Mode(c.Mode)
	if wrong, fix := topics(c.Topics, r); wrong != "" {
		p.add("SINKD_TOPICS", fix, "%s", wrong)
	}
	if wrong, fix := table(c.Variables.Table, r); wrong != "" {
		p.add("SINKD_TABLE", fix, "%s", wrong)
	}
	list, wrong, fix := mappings(c.Variables.Columns)
	if wrong != "" {
		p.add("SINKD_COLUMNS", fix, "%s", wrong)
	}
	r.Columns = list
	r.Create = create(c.CreateTable, r)
	return r
}

// bare is a route with nothing but what the other variables say of all routes.
func (c *Config) bare() *sinkd.Route {
	return &sinkd.Route{
		Mode:      sinkd.Append,
		Format:    c.Format,
		KeyFormat: c.KeyFormat,
		EpochUnit: c.EpochUnit,
		StripNUL:  c.NUL == "strip",
	}
}

// written are the routes of SINKD_ROUTES, those without problems.
func (c *Config) written(p *Problems) []*sinkd.Route {
	var routes []*sinkd.Route
	text := strings.ReplaceAll(c.Variables.Routes, ";", "\n")
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		r := c.bare()
		if wrong, fix := c.route(line, r); wrong != "" {
			p.add("SINKD_ROUTES", fix, "%s: %s", strings.TrimSpace(strings.SplitN(line, "->", 2)[0]), wrong)
			continue
		}
		routes = append(routes, r)
	}
	return routes
}
