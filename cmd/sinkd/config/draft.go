package config

import (
	"slices"
	"strconv"

	"github.com/sinkd/sinkd"
)

// draft is a route in the making. What the route says itself goes before what
// the variables say of all routes.
type draft struct {
	config *Config
	route  *sinkd.Route
	// written tells that the route is one of SINKD_ROUTES, not that of the
	// plain variables; topics names it in messages.
	written bool
	topics  string
	// own are the options that the route says itself, by name.
	own      map[string]string
	problems *Problems
	bad      bool
}

func (c *Config) draft(p *Problems) *draft {
	return &draft{config: c, route: &sinkd.Route{}, own: map[string]string{}, problems: p}
}

// refuse reports a problem of the whole route.
func (d *draft) refuse(wrong, fix string) {
	d.bad = true
	d.problems.add("SINKD_ROUTES", fix, "%s: %s", d.topics, wrong)
}

// blame reports a problem of one option.
func (d *draft) blame(option, wrong, fix string) {
	if d.written {
		d.refuse(option+" "+wrong, fix)
		return
	}
	d.bad = true
	d.problems.add(variable(option), fix, "%s", wrong)
}

// without says how an option is taken away.
func (d *draft) without(option string) string {
	_, own := d.own[option]
	switch {
	case d.written && own:
		return "leave out " + option
	case d.written:
		return "unset " + variable(option) + ", or give the route another one"
	}
	return "unset " + variable(option)
}

// as says how an option gets a value.
func (d *draft) as(option, value string) string {
	switch {
	case !d.written:
		return variable(option) + "=" + value
	case option == "mode":
		return value
	}
	return option + "=" + value
}

// value is what the option is for this route.
func (d *draft) value(option string) string {
	if value, own := d.own[option]; own {
		return value
	}
	return d.shared(option)
}

// shared is what the variables say of all routes.
func (d *draft) shared(option string) string {
	switch c := d.config; option {
	case "mode":
		return string(sinkd.Append)
	case "format":
		return c.Format
	case "key_format":
		return c.KeyFormat
	case "epoch_unit":
		return c.EpochUnit
	case "nul":
		return c.NUL
	case "create_table":
		return c.CreateTable
	case "unknown_fields":
		return c.UnknownFields
	case "deletes":
		return c.Deletes
	case "deleted_column":
		return c.DeletedColumn
	case "version_column":
		return c.VersionColumn
	}
	return ""
}

// finish makes the route complete, or answers nil where it cannot be used.
func (d *draft) finish() *sinkd.Route {
	r := d.route
	r.Mode = sinkd.Mode(d.value("mode"))
	r.Format, r.KeyFormat = d.value("format"), d.value("key_format")
	r.EpochUnit, r.StripNUL = d.value("epoch_unit"), d.value("nul") == "strip"
	r.Unknown = sinkd.Unknown(d.value("unknown_fields"))
	d.converge()
	d.key()
	d.columns()
	d.deletes()
	d.version()
	d.fields()
	d.create()
	if d.bad {
		return nil
	}
	return r
}

// key reads the columns of the key.
func (d *draft) key() {
	text, own := d.own["key"]
	if !own {
		return
	}
	if d.route.Mode == sinkd.Append {
		d.blame("key", "is set, but rows are appended, which takes no key", d.without("key")+", or write "+d.keyed())
		return
	}
	names := split(text)
	if len(names) == 0 {
		d.blame("key", "names no column", d.without("key")+" for the table's primary key, or name columns, as in order_id, region")
	}
	for i, name := range names {
		if wrong, fix := identifier(name); wrong != "" {
			d.blame("key", "has a column that cannot be: "+wrong, fix)
		} else if slices.Contains(names[:i], name) {
			d.blame("key", "names column "+name+" twice", "keep one of them")
		}
	}
	d.route.Key = names
}

// keyed says how a mode with a key is written.
func (d *draft) keyed() string { return d.as("mode", "upsert") + " or " + d.as("mode", "ignore") }

// columns reads where columns come from.
func (d *draft) columns() {
	list, wrong, fix := mappings(d.own["columns"])
	if wrong != "" {
		d.blame("columns", "cannot be read: "+wrong, fix)
	}
	d.route.Columns = list
}

// maps tells whether the column's source is written out.
func (d *draft) maps(column string) bool {
	return slices.ContainsFunc(d.route.Columns, func(m sinkd.Mapping) bool { return m.Column == column })
}

// quoted gives a mode as messages have it.
func quoted(m sinkd.Mode) string { return strconv.Quote(string(m)) }
