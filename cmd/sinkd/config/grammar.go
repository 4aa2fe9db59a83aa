package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sinkd/sinkd"
)

// route reads one route into r:
//
//	topics -> table [mode [(key, ...)]] [columns(...)] [name=value ...]
//
// A name is that of a variable without SINKD_, in small letters; it overrides
// the variable for this route.
func (c *Config) route(line string, r *sinkd.Route) (wrong, fix string) {
	const example = "write it like orders -> sales.orders append columns(city=address.city)"
	left, right, arrow := strings.Cut(line, "->")
	if !arrow {
		return "a route has no ->", example
	}
	if wrong, fix = topics(left, r); wrong != "" {
		return wrong, fix
	}
	words, ok := tokens(right)
	if !ok {
		return "a parenthesis is not closed", example
	}
	if len(words) == 0 || strings.Contains(words[0], "(") {
		return "no table is named", example
	}
	if wrong, fix = table(words[0], r); wrong != "" {
		return wrong, fix
	}
	return c.options(words[1:], r)
}

// option is one name=value, name(value) or write mode of a route.
type option struct{ name, value string }

// options reads what stands behind the table.
func (c *Config) options(words []string, r *sinkd.Route) (wrong, fix string) {
	policy := option{"create_table", c.CreateTable}
	seen := map[string]bool{}
	for _, word := range words {
		for _, o := range parse(word) {
			if seen[o.name] {
				return o.name + " is given twice", "keep one of them"
			}
			seen[o.name] = true
			if o.name == policy.name {
				policy = o
			}
			if wrong, fix = override(o, r); wrong != "" {
				return wrong, fix
			}
		}
	}
	r.Create = create(policy.value, r)
	return "", ""
}

// parse takes a word apart; a mode with its key is two options.
func parse(word string) []option {
	if inner, ok := strings.CutSuffix(word, ")"); ok {
		name, inner, _ := strings.Cut(inner, "(")
		if isMode(name) {
			return []option{{"mode", name}, {"key", inner}}
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

// override sets what one option says of a route.
func override(o option, r *sinkd.Route) (wrong, fix string) {
	if !slices.Contains(optionNames(), o.name) || o.value == "" {
		return strconv.Quote(o.name) + " is not an option of a route", "write " + orList(optionNames()) + ", each with a value"
	}
	if wrong, fix = choice(o); wrong != "" {
		return wrong, fix
	}
	switch o.name {
	case "mode":
		r.Mode = sinkd.Mode(o.value)
	case "columns":
		r.Columns, wrong, fix = mappings(o.value)
	case "format":
		r.Format = o.value
	case "key_format":
		r.KeyFormat = o.value
	case "epoch_unit":
		r.EpochUnit = o.value
	case "nul":
		r.StripNUL = o.value == "strip"
	}
	return wrong, fix
}

// optionNames are the variables that a route can override.
func optionNames() []string {
	return []string{
		"mode", "key", "columns", "format", "key_format", "envelope", "epoch_unit", "nul", "create_table",
		"unknown_fields", "deletes", "deleted_column", "version_column", "transform_sql", "stage",
	}
}

// choice checks an option as the variable of its name is checked.
func choice(o option) (wrong, fix string) {
	for _, f := range fields() {
		if f.name != "SINKD_"+strings.ToUpper(o.name) {
			continue
		}
		if wrong, fix = f.choose(o.value); wrong != "" {
			return o.name + " " + wrong, strings.Replace(fix, "unset it", "leave it out", 1)
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
