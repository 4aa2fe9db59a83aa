package config

import (
	"slices"
	"strings"

	"github.com/sinkd/sinkd"
)

// deletes reads what a tombstone does: nothing but in upsert mode. What the
// variables say of all routes is meant for those that it fits.
func (d *draft) deletes() {
	r := d.route
	way, own := d.own["deletes"]
	if r.Mode != sinkd.Upsert {
		if own && way != string(sinkd.Keep) {
			d.blame("deletes", "is "+way+", but only upsert mode deletes", d.without("deletes")+", or write "+d.as("mode", "upsert"))
		}
		if _, named := d.own["deleted_column"]; named && (!own || way == string(sinkd.Keep)) {
			d.blame("deleted_column", "is set, but only upsert mode deletes", d.without("deleted_column")+", or write "+d.as("mode", "upsert")+" and "+d.as("deletes", "soft"))
		}
		return
	}
	r.Deletes = sinkd.Deletes(d.value("deletes"))
	if r.Deletes == "" {
		r.Deletes = sinkd.Remove
	}
	if r.Deletes == sinkd.Soft {
		d.deletedColumn()
	} else if _, named := d.own["deleted_column"]; named {
		d.blame("deleted_column", "is set, but deletes is "+string(r.Deletes), d.without("deleted_column")+", or write "+d.as("deletes", "soft"))
	}
}

// deletedColumn reads the column that soft deletes set.
func (d *draft) deletedColumn() {
	r := d.route
	r.DeletedColumn = d.value("deleted_column")
	if r.DeletedColumn == "" {
		d.blame("deleted_column", "is required with deletes=soft", "name a column of type boolean or timestamptz, as in "+d.as("deleted_column", "deleted_at"))
		return
	}
	d.apart("deleted_column", r.DeletedColumn)
	if d.maps(r.DeletedColumn) {
		d.blame("deleted_column", "is "+r.DeletedColumn+", which columns gives a source", "take it out of columns: deletes set it")
	}
}

// version reads the column that tells which of two rows is newer.
func (d *draft) version() {
	r := d.route
	if r.Mode != sinkd.Upsert {
		if _, own := d.own["version_column"]; own {
			d.blame("version_column", "is set, but only upsert mode compares versions", d.without("version_column")+", or write "+d.as("mode", "upsert"))
		}
		return
	}
	if r.Version = d.value("version_column"); r.Version == "" {
		return
	}
	d.apart("version_column", r.Version)
	if r.Version == r.DeletedColumn {
		d.blame("version_column", "is "+r.Version+", which is deleted_column too", "name another column")
	}
}

// apart checks a column that must not be one of the key.
func (d *draft) apart(option, column string) {
	if wrong, fix := identifier(column); wrong != "" {
		d.blame(option, "cannot be: "+wrong, fix)
	} else if slices.Contains(d.route.Key, column) {
		d.blame(option, "is "+column+", which is a column of the key too", "name another column")
	}
}

// fields refuses what only values with fields can have.
func (d *draft) fields() {
	r := d.route
	if r.Format != "text" && r.Format != "bytes" {
		return
	}
	if _, own := d.own["unknown_fields"]; own && r.Unknown != sinkd.IgnoreFields {
		d.blame("unknown_fields", "is "+string(r.Unknown)+", but values in format "+r.Format+" have no fields", d.without("unknown_fields"))
	}
	r.Unknown = sinkd.IgnoreFields
	for _, m := range r.Columns {
		if !strings.HasPrefix(m.Source, "@") {
			d.blame("columns", "takes "+m.Column+" from the field "+m.Source+", but values in format "+r.Format+" have no fields",
				"write @value for the whole of it, or "+d.as("format", "json"))
		}
	}
}

// create decides whether a missing table is made. The landing table that sinkd
// makes has no key to write by, but in idempotent delivery.
func (d *draft) create() {
	r, policy := d.route, d.value("create_table")
	if r.Mode != sinkd.Append && !d.landingKey() {
		if _, own := d.own["create_table"]; own && policy == "always" {
			has := "no key, and mode " + quoted(r.Mode) + " needs one"
			if d.config.Idempotent() {
				has = "the record's coordinates as its key, and the route another"
			}
			d.blame("create_table", "is always, but a table that sinkd makes has "+has,
				d.without("create_table")+", and make the table yourself")
		}
		return
	}
	r.Create = policy == "always" || policy == "auto" && strings.Contains(r.Name, placeholder)
}
