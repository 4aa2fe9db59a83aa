package config

import (
	"strconv"
	"strings"

	"github.com/sinkd/sinkd"
)

// written reads one route:
//
//	topics -> table [mode [(key, ...)]] [columns(...)] [name=value ...]
//
// A name is that of a variable without SINKD_, in small letters; it overrides
// the variable for this route. deletes=soft(column) gives two of them at once.
func (c *Config) written(line string, p *Problems) *sinkd.Route {
	left, right, arrow := strings.Cut(line, "->")
	d := c.draft(p)
	d.written, d.topics = true, strings.TrimSpace(left)
	const example = "write it like orders -> sales.orders append columns(city=address.city)"
	if !arrow {
		d.refuse("a route has no ->", example)
		return nil
	}
	if wrong, fix := topics(left, d.route); wrong != "" {
		d.refuse(wrong, fix)
	}
	words, ok := tokens(right)
	switch {
	case !ok:
		d.refuse("a parenthesis is not closed", example)
		return nil
	case len(words) == 0 || strings.Contains(words[0], "("):
		d.refuse("no table is named", example)
		return nil
	}
	if wrong, fix := table(words[0], d.route); wrong != "" {
		d.refuse(wrong, fix)
	}
	d.options(words[1:])
	return d.finish()
}

// option is one name=value, name(value) or write mode of a route.
type option struct{ name, value string }

// options reads what stands behind the table.
func (d *draft) options(words []string) {
	for _, word := range words {
		for _, o := range parse(word) {
			_, twice := d.own[o.name]
			switch {
			case !isOption(o.name) || o.value == "":
				d.refuse(strconv.Quote(o.name)+" is not an option of a route", "write "+orList(optionNames())+", each with a value")
			case twice:
				d.refuse(o.name+" is given twice", "keep one of them")
			default:
				d.own[o.name] = o.value
			}
		}
	}
	for _, name := range sorted(d.own) {
		if wrong, fix := choice(name, d.own[name]); wrong != "" {
			d.refuse(name+" "+wrong, fix)
			delete(d.own, name)
		}
	}
}

// parse takes a word apart; a mode with its key is two options, and so is the
// way of soft deletes with its column.
func parse(word string) []option {
	if outer, ok := strings.CutSuffix(word, ")"); ok {
		name, inner, _ := strings.Cut(outer, "(")
		switch inner = strings.TrimSpace(inner); {
		case isMode(name):
			return []option{{"mode", name}, {"key", inner}}
		case name == "deletes="+string(sinkd.Soft):
			return []option{{"deletes", string(sinkd.Soft)}, {"deleted_column", inner}}
		}
		return []option{{name, inner}}
	}
	if isMode(word) {
		return []option{{"mode", word}}
	}
	name, value, _ := strings.Cut(word, "=")
	return []option{{name, value}}
}

func isMode(word string) bool {
	return word == string(sinkd.Append) || word == string(sinkd.Upsert) || word == string(sinkd.Ignore)
}

// optionNames are the variables that a route can override.
func optionNames() []string {
	return []string{
		"mode", "key", "columns", "format", "key_format", "envelope", "epoch_unit", "nul", "create_table",
		"unknown_fields", "deletes", "deleted_column", "version_column", "transform_sql", "stage",
	}
}

func isOption(name string) bool {
	for _, one := range optionNames() {
		if one == name {
			return true
		}
	}
	return false
}

// variable is the name of the variable that an option overrides.
func variable(option string) string { return "SINKD_" + strings.ToUpper(option) }

// choice checks an option as the variable of its name is checked.
func choice(name, value string) (wrong, fix string) {
	for _, f := range fields() {
		if f.name == variable(name) {
			wrong, fix = f.choose(value)
			return wrong, strings.Replace(fix, "unset it", "leave it out", 1)
		}
	}
	return "", ""
}

// tokens splits at blanks outside of parentheses; name (x, y) is one word.
func tokens(text string) (words []string, ok bool) {
	depth, word := 0, strings.Builder{}
	for _, letter := range text {
		blank := depth == 0 && (letter == ' ' || letter == '\t')
		switch {
		case letter == '(':
			if word.Len() == 0 && depth == 0 && len(words) > 0 {
				word.WriteString(words[len(words)-1])
				words = words[:len(words)-1]
			}
			depth++
		case letter == ')':
			depth--
		}
		if !blank {
			word.WriteRune(letter)
		}
		if word.Len() > 0 && (blank || letter == ')' && depth == 0) {
			words = append(words, word.String())
			word.Reset()
		}
	}
	if word.Len() > 0 {
		words = append(words, word.String())
	}
	return words, depth == 0
}
