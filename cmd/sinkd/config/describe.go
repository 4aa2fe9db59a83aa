package config

import (
	"strings"

	"github.com/sinkd/sinkd"
)

// Describe gives a route as SINKD_ROUTES has it, complete: what it has from the
// other variables and from defaults is written out.
func Describe(r *sinkd.Route) string {
	words := []string{topicsOf(r), "->", r.Schema + "." + r.Name, string(r.Mode)}
	if len(r.Key) > 0 {
		words[len(words)-1] += "(" + strings.Join(r.Key, ", ") + ")"
	}
	if len(r.Columns) > 0 {
		list := make([]string, len(r.Columns))
		for i, m := range r.Columns {
			list[i] = m.Column + "=" + m.Source
		}
		words = append(words, "columns("+strings.Join(list, ", ")+")")
	}
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+"="+value)
		}
	}
	switch {
	case r.Deletes == sinkd.Soft:
		words = append(words, "deletes=soft("+r.DeletedColumn+")")
	case r.Mode == sinkd.Upsert:
		add("deletes", string(r.Deletes))
	}
	add("version_column", r.Version)
	add("unknown_fields", string(r.Unknown))
	add("format", r.Format)
	add("key_format", r.KeyFormat)
	add("epoch_unit", r.EpochUnit)
	add("nul", map[bool]string{true: "strip", false: "dead-letter"}[r.StripNUL])
	add("create_table", map[bool]string{true: "always", false: "never"}[r.Create])
	return strings.Join(words, " ")
}
