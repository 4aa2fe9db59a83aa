package transform

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/sinkd/sinkd"
)

// guess is what the records of a sample say about one field.
type guess struct {
	name        string
	seen, nulls int
	// kinds count the values by their kind, from Bool on.
	kinds [JSON + 1]int
	// possible tells of each candidate that it takes all values so far.
	possible []bool
	// beyond tells that a whole number is beyond bigint, unzoned that a time has
	// no offset, numbers that all strings are numbers.
	beyond, unzoned, numbers bool
	// least and most are the bounds of whole numbers.
	least, most int64
	// inside are the names of the first fields of objects.
	inside []string
	// isKey counts the records whose key is the field's value.
	isKey int
}

func newGuess(name string, candidates int) *guess {
	g := &guess{name: name, possible: make([]bool, candidates), numbers: true}
	for i := range g.possible {
		g.possible[i] = true
	}
	return g
}

// maxInside bounds the fields of objects that are named.
const maxInside = 8

// note takes a value that is not null into account.
func (g *guess) note(f *field, all []candidate) {
	g.kinds[f.value.Kind]++
	for i := range all {
		g.possible[i] = g.possible[i] && all[i].takes(f)
	}
	switch v := &f.value; v.Kind {
	case Number:
		g.number(v.Bytes)
	case String:
		_, ok := parseDecimal(v.Bytes)
		g.numbers = g.numbers && ok
		g.unzoned = g.unzoned || !bytes.ContainsAny(v.Bytes[min(len(v.Bytes), 16):], "Zz+-")
	case Object:
		g.object(f.raw)
	}
}

func (g *guess) number(text []byte) {
	d, ok := parseDecimal(text)
	if !ok {
		return
	}
	n, exact, ok := d.integer()
	switch {
	case !ok && !bytes.ContainsAny(text, "."), ok && exact && n >= 1<<63:
		g.beyond = true
	case ok && exact:
		whole := int64(n)
		if d.negative {
			whole = -whole
		}
		if g.kinds[Number] == 1 {
			g.least, g.most = whole, whole
		}
		g.least, g.most = min(g.least, whole), max(g.most, whole)
	}
}

func (g *guess) object(raw []byte) {
	if len(g.inside) >= maxInside {
		return
	}
	members, err := fieldsOf(raw)
	if err != nil {
		return
	}
	for _, m := range members {
		if plainName(m.name) && !slices.Contains(g.inside, m.name) && len(g.inside) < maxInside {
			g.inside = append(g.inside, m.name)
		}
	}
}

// plainName tells of names that a path of SINKD_COLUMNS, or a comment, may have
// as they are.
func plainName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// column gives the column of n records with the field.
func (g *guess) column(all []candidate, n int) sinkd.ProposedColumn {
	c := sinkd.ProposedColumn{
		Name: g.name, Type: "text", Seen: g.seen, Nulls: g.nulls, NotNull: g.seen == n && g.nulls == 0, Notes: []string{},
	}
	if g.seen == g.nulls {
		c.Notes = append(c.Notes, "always null: the type is a guess")
		return c
	}
	i := slices.Index(g.possible, true)
	if i < 0 {
		i = len(all) - 1
	}
	c.Type = all[i].name
	if c.Notes = g.doubts(c.Type); !g.possible[i] {
		c.Notes = append(c.Notes, "no type takes all values: some records will be dead letters")
	}
	if few := max(5, n/20); g.seen < few && g.seen < n {
		c.Notes = append(c.Notes, fmt.Sprintf("in %d of %d records", g.seen, n))
	}
	return c
}

// doubts say what is not sure about the type.
func (g *guess) doubts(kind string) []string {
	notes := []string{}
	if mixed := g.mixture(); mixed != "" {
		notes = append(notes, "mixed: "+mixed)
	}
	switch {
	case kind == "numeric" && g.beyond:
		notes = append(notes, "numbers beyond bigint")
	case kind == "bigint":
		if unit := g.epoch(); unit != "" {
			notes = append(notes, "may be times, as epoch numbers: timestamptz takes them with SINKD_EPOCH_UNIT="+unit)
		}
	case kind == "timestamptz" && g.unzoned:
		notes = append(notes, "times without an offset are taken as UTC")
	case kind == "text" && g.kinds[Number] > 0 && g.kinds[String]+g.kinds[Bool] == 0:
		notes = append(notes, "numbers beyond numeric")
	case kind == "text" && g.numbers && g.kinds[String] > 0:
		notes = append(notes, "all strings are numbers: numeric takes them")
	case kind == "jsonb" && len(g.inside) > 0:
		notes = append(notes, "objects: a path makes a column of a field, as in SINKD_COLUMNS="+g.paths())
	case kind == "jsonb" && g.kinds[Array] > 0:
		notes = append(notes, "arrays: where the elements are alike, an array type takes them, such as text[]")
	}
	return notes
}

// paths map the fields of objects, as SINKD_COLUMNS has it.
func (g *guess) paths() string {
	if !plainName(g.name) {
		return "column=field.inner"
	}
	var parts []string
	for _, name := range g.inside[:min(3, len(g.inside))] {
		parts = append(parts, fmt.Sprintf("%s_%s=%[1]s.%[2]s", g.name, name))
	}
	return strings.Join(parts, ",")
}

// mixture counts the kinds of values where there are several.
func (g *guess) mixture() string {
	names := map[Kind]string{Bool: "booleans", Number: "numbers", String: "strings", Array: "arrays", Object: "objects"}
	var parts []string
	for _, k := range []Kind{Bool, Number, String, Array, Object} {
		if n := g.kinds[k]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, names[k]))
		}
	}
	if len(parts) < 2 {
		return ""
	}
	return strings.Join(parts, ", ")
}

// epoch tells in which unit whole numbers may be times of this century, empty if
// in none. Seconds are taken for it only where the name says time: ids are in
// their range, too.
func (g *guess) epoch() string {
	const from, until = 978307200, 4102444800 // 2001 and 2100, in seconds
	for _, u := range []struct {
		name  string
		scale int64
	}{{"s", 1}, {"ms", 1e3}, {"us", 1e6}, {"ns", 1e9}} {
		if g.least >= from*u.scale && g.most/u.scale < until {
			if u.scale == 1 && !soundsLikeTime(g.name) {
				return ""
			}
			return u.name
		}
	}
	return ""
}

func soundsLikeTime(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "time") || strings.Contains(name, "date") || strings.HasSuffix(name, "_at") ||
		strings.HasSuffix(name, "ts") || strings.HasSuffix(name, "at") && len(name) > 6
}
