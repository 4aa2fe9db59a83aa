package config

import (
	"fmt"
	"regexp"
	"strings"
)

// Setting is a variable with the value that is in force.
type Setting struct{ Name, Value string }

// Settings are all variables that have a value, defaults included, in their
// order, with secrets hidden.
func (c *Config) Settings() []Setting {
	var settings []Setting
	for _, f := range fields() {
		value, set := c.environ.values[f.name]
		switch {
		case !set:
			value = c.computed(f)
		case f.name == "SINKD_DATABASE_URL":
			value = redact(value)
		case f.secret:
			value = "***"
		}
		if value != "" {
			settings = append(settings, Setting{f.name, value})
		}
	}
	return settings
}

// computed is the value of a variable that was not set.
func (c *Config) computed(f field) string {
	switch f.name {
	case "SINKD_LANES":
		return decimal(int64(c.Lanes))
	case "SINKD_KAFKA_GROUP":
		return c.KafkaGroup
	case "SINKD_ON_BAD_RECORD":
		return c.OnBadRecord
	}
	if _, without := unkept()[f.name]; without && c.Idempotent() {
		return ""
	}
	return f.def
}

// Table gives the table of variables of the README, in Markdown.
func Table() string {
	code := regexp.MustCompile(`(^|[\s(])'([^']+)'`)
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, f := range fields() {
		line := fmt.Sprintf("| '%s' | %s | %s |\n", f.name, shown(f), meaning(f))
		b.WriteString(code.ReplaceAllString(line, "$1`$2`"))
	}
	return b.String()
}

// shown is the default as the table prints it.
func shown(f field) string {
	switch {
	case f.show == "":
		return "-"
	case f.show == f.def:
		return "'" + f.def + "'"
	}
	return f.show
}

// meaning is what the table says of a variable.
func meaning(f field) string {
	text := strings.ReplaceAll(f.doc, "|", "\\|")
	if len(f.oneof) > 0 {
		text += ": '" + strings.Join(f.oneof, "', '") + "'"
	}
	switch served := f.served(); {
	case len(f.later) == 0:
	case len(served) == 0 || len(served) == len(f.oneof):
		text += " (not supported yet)"
	default:
		text += " (not supported yet: '" + strings.Join(f.later, "', '") + "')"
	}
	return text
}
