package config

import (
	"reflect"
	"strings"
)

// field is what the tags of one variable say.
type field struct {
	name, goName string
	def          string
	// show is what people read as the default.
	show  string
	doc   string
	oneof []string
	later []string
	// off tells that the value "off" gives the zero value.
	off    bool
	secret bool
	kind   reflect.Type
}

// fields gives all variables in their order.
func fields() []field {
	t := reflect.TypeFor[Variables]()
	all := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		sf := t.Field(i)
		f := field{
			name:   sf.Tag.Get("env"),
			goName: sf.Name,
			def:    sf.Tag.Get("envDefault"),
			show:   sf.Tag.Get("show"),
			doc:    sf.Tag.Get("doc"),
			oneof:  strings.Fields(sf.Tag.Get("oneof")),
			later:  strings.Fields(sf.Tag.Get("later")),
			off:    sf.Tag.Get("off") != "",
			secret: sf.Tag.Get("secret") != "",
			kind:   sf.Type,
		}
		if f.show == "" {
			f.show = f.def
		}
		all = append(all, f)
	}
	return all
}

// waits tells whether a value of the variable is understood, but its feature
// is still to come.
func (f *field) waits(value string) bool {
	for _, later := range f.later {
		if later == "*" || later == value {
			return true
		}
	}
	return false
}

// served are the values that work today.
func (f *field) served() []string {
	var values []string
	for _, value := range f.oneof {
		if !f.waits(value) {
			values = append(values, value)
		}
	}
	return values
}

// choose checks a value against the list of those that the variable may have.
func (f *field) choose(value string) (wrong, fix string) {
	known := len(f.oneof) == 0
	for _, one := range f.oneof {
		known = known || one == value
	}
	switch {
	case !known:
		return "\"" + value + "\" is not one of its values", "write " + orList(f.served())
	case f.waits(value) && len(f.served()) > 0:
		return "\"" + value + "\" is not supported yet", "write " + orList(f.served())
	case f.waits(value):
		return "is not supported yet", "unset it"
	}
	return "", ""
}

// orList gives "a, b or c".
func orList(words []string) string {
	switch n := len(words); n {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
}
