package config

import (
	"math"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/sinkd/sinkd/internal/nearest"
)

// environ is the part of the environment that is sinkd's: the value of each
// variable by name, from the variable itself or from the file that its _FILE
// names. An empty value is no value.
type environ struct {
	values map[string]string
	// files are the paths of the values that came from files.
	files map[string]string
	// off are the variables that were turned off.
	off map[string]bool
}

// read takes sinkd's variables out of the environment, reads files, and
// refuses names that do not exist.
func read(environment []string, fields []field, p *Problems) *environ {
	e := &environ{values: map[string]string{}, files: map[string]string{}, off: map[string]bool{}}
	all := map[string]string{}
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "SINKD_") && value != "" {
			all[name] = value
		}
	}
	names := make([]string, len(fields))
	for i := range fields {
		names[i] = fields[i].name
		e.take(&fields[i], all, p)
	}
	for _, name := range sorted(all) {
		if !slices.Contains(names, strings.TrimSuffix(name, "_FILE")) && !serviceLink(name) {
			p.add(name, "did you mean "+nearest.Of(name, names, math.MaxInt)[0]+"? Otherwise unset it", "there is no such variable")
		}
	}
	return e
}

// take notes the value of one variable.
func (e *environ) take(f *field, all map[string]string, p *Problems) {
	value, plain := all[f.name]
	path, file := all[f.name+"_FILE"]
	switch {
	case plain && file:
		p.add(f.name, "unset one of them", "is set, and %s_FILE is set too", f.name)
		return
	case file:
		text, err := readFile(path)
		if err != nil {
			p.add(f.name+"_FILE", "give it the path of a file that sinkd may read", "cannot be read: %s", err)
			return
		}
		if text == "" {
			p.add(f.name+"_FILE", "write the value into it, or unset the variable", "the file %s is empty", path)
			return
		}
		value = text
		e.files[f.name] = path
	case !plain:
		return
	}
	e.values[f.name] = value
	if f.off && value == "off" {
		e.off[f.name] = true
	}
}

// source gives a function that answers the value anew at each call: from its
// file, where it came from one.
func (e *environ) source(name string) func() (string, error) {
	if path, ok := e.files[name]; ok {
		return func() (string, error) { return readFile(path) }
	}
	value := e.values[name]
	return func() (string, error) { return value, nil }
}

// readFile gives a file's text without the newline at its end.
func readFile(path string) (string, error) {
	text, err := os.ReadFile(path)
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), err
}

// serviceLink tells whether Kubernetes made the variable for a service whose
// name begins with sinkd: such names are not ours to refuse.
func serviceLink(name string) bool {
	return regexp.MustCompile(`^SINKD_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`).MatchString(name)
}

func sorted(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
