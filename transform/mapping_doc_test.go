package transform

import (
	"os"
	"strings"
	"testing"
)

// outcome is a line of the table of values and types.
type outcome struct {
	typ, value, got, inserted string
	// common tells that each type has the value.
	common bool
}

// readOutcomes reads the golden.
func readOutcomes(text string) (all []outcome) {
	common := map[string]bool{}
	for value := range strings.SplitSeq(everyValue, "\n") {
		common[value] = true
	}
	typ := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			typ = name
			continue
		}
		f := append(strings.Split(line, "\t"), "")
		all = append(all, outcome{typ: typ, value: f[0], got: f[1], inserted: strings.TrimPrefix(f[2], "INSERT: "), common: common[f[0]]})
	}
	return all
}

// document writes the tables of docs/mapping.md, or checks them.
func document(t *testing.T, all []outcome) {
	t.Helper()
	const path = "../docs/mapping.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	for name, table := range map[string]string{"matrix": matrixTable(all), "values": valuesTable(all), "differences": differencesTable(all)} {
		begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
		before, rest, found := strings.Cut(doc, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Fatalf("%s lacks the marks of the table %q", path, name)
		}
		doc = before + begin + table + end + after
	}
	golden(t, path, doc)
}

// matrixTable has a row for each type and a column for each kind of value.
func matrixTable(all []outcome) string {
	kinds := []string{`true`, `1`, `1.5`, `"1"`, `"abc"`, `[1,2]`, `{"a":1}`}
	cells := map[[2]string]string{}
	var types []string
	for _, o := range all {
		if _, seen := cells[[2]string{o.typ}]; !seen {
			cells[[2]string{o.typ}] = ""
			types = append(types, o.typ)
		}
		cells[[2]string{o.typ, o.value}] = o.cell()
	}
	var b strings.Builder
	b.WriteString("| type |")
	for _, kind := range kinds {
		b.WriteString(" " + code(kind) + " |")
	}
	b.WriteString("\n|---" + strings.Repeat("|---", len(kinds)) + "|\n")
	for _, typ := range types {
		b.WriteString("| " + described(typ) + " |")
		for _, kind := range kinds {
			b.WriteString(" " + cells[[2]string{typ, kind}] + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// cell is what became of the value, in short.
func (o *outcome) cell() string {
	if o.bad() {
		return "**bad**"
	}
	return code(o.got)
}

func (o *outcome) bad() bool {
	return strings.HasPrefix(o.got, "bad: ") || strings.HasPrefix(o.got, "refused ")
}

// valuesTable has the values that were chosen for their type.
func valuesTable(all []outcome) string {
	var b strings.Builder
	b.WriteString("| type | JSON value | what it becomes |\n|---|---|---|\n")
	for _, o := range all {
		if o.common {
			continue
		}
		becomes := code(o.got)
		if reason, bad := strings.CutPrefix(o.got, "bad: "); bad {
			becomes = "**bad**: " + strings.ReplaceAll(reason, "|", `\|`)
		} else if state, refused := strings.CutPrefix(o.got, "refused "); refused {
			becomes = "**bad**: PostgreSQL refuses it (" + state + ")"
		}
		b.WriteString("| " + described(o.typ) + " | " + code(o.value) + " | " + becomes + " |\n")
	}
	return b.String()
}

// differencesTable has each reason for which something else lands than INSERT
// makes, with its first example.
func differencesTable(all []outcome) string {
	var b strings.Builder
	b.WriteString("| why | for example | sinkd | INSERT |\n|---|---|---|---|\n")
	seen := map[string]bool{}
	for _, o := range all {
		if o.inserted == "" {
			continue
		}
		why := differs(o.typ, o.value, o.got)
		if seen[why] {
			continue
		}
		seen[why] = true
		insert := (&outcome{got: o.inserted}).cell()
		b.WriteString("| " + why + " | " + code(o.value) + " into " + described(o.typ) + " | " + o.cell() + " | " + insert + " |\n")
	}
	return b.String()
}

// described names a type, and what it is where the test made it.
func described(typ string) string {
	switch typ {
	case "mood":
		return "an enum of new, done, 1"
	case "positive":
		return "a domain over integer, above 0"
	case "integers":
		return "a domain over integer[], above 0"
	case "moods":
		return "a domain over an enum's array"
	case "pair":
		return "a composite type (integer, text)"
	case "mood[]":
		return "an array of the enum"
	case "positive[]":
		return "an array of the domain"
	case "pair[]":
		return "an array of the composite type"
	}
	return typ
}

// code writes text as code in a table's cell.
func code(text string) string {
	if text == "" {
		return "an empty text"
	}
	mark := "`"
	if strings.Contains(text, "`") {
		mark = "``"
	}
	return mark + strings.ReplaceAll(text, "|", `\|`) + mark
}
