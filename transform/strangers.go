package transform

import (
	"slices"
	"strings"

	"github.com/sinkd/sinkd"
)

// strangers are the fields of a record that no column takes.
type strangers struct {
	mode sinkd.Unknown
	// fields are those of the record in work that a column could be added for:
	// the value's own, not those of objects inside.
	fields []stranger
	// refused is the path of the one that makes the record bad.
	refused string
}

// stranger is a field that no column takes, and the kind of its value.
type stranger struct {
	name string
	kind columnKind
}

// estrange finds the objects whose fields may be strangers: those into which
// paths lead, unless a column takes the whole object.
func (c *compiler) estrange() {
	mode := c.route.Unknown
	if mode == "" || mode == sinkd.IgnoreFields || c.opaque() {
		return
	}
	if c.route.Mode == sinkd.Upsert && c.mode() == sinkd.Soft {
		c.root.step(c.route.DeletedColumn)
	}
	c.plan.strangers = &strangers{mode: mode}
	if mode == sinkd.RefuseFields {
		c.root.expose(c.whole)
		return
	}
	c.root.known = c.whole
	for i := range c.table.Columns {
		// A column whose value comes from elsewhere cannot be added.
		c.root.step(c.table.Columns[i].Name)
	}
}

// expose marks the objects whose fields may be strangers.
func (n *node) expose(taken bool) {
	n.known = taken || n.cell >= 0 || n.text >= 0
	for _, e := range n.entries {
		if e.child != nil && e.child.branches() {
			e.child.expose(n.known)
		}
	}
}

// stranger reads a field that nothing maps, and notes it. Its name begins at
// name, with the quote, its value at i.
func (d *jsonDecoder) stranger(n *node, name, i, depth int) (int, mark, fault) {
	end, seen, f := skip(d.src, i, depth)
	if f != fine {
		return end, 0, f
	}
	stop, m, _ := scanString(d.src, name+1)
	raw := d.src[name+1 : stop]
	if m&hasEscape != 0 {
		raw = d.unescaped(raw)
	}
	s := d.strangers
	if s.mode == sinkd.RefuseFields {
		s.refused = shortened(string(raw))
		if n.path != "" {
			s.refused = n.path + "." + s.refused
		}
		return i, 0, refused
	}
	if kind := columnKindOf(d.src[i:end]); kind != kindNone {
		s.fields = append(s.fields, stranger{string(raw), kind})
	}
	return end, seen, fine
}

// shortened gives a name for messages: cut where no column can have it, and
// without the character that Postgres's text cannot hold.
func shortened(name string) string {
	name = strings.ReplaceAll(name, "\x00", `\u0000`)
	if len(name) <= maxIdentifier {
		return name
	}
	return strings.ToValidUTF8(name[:maxIdentifier], "") + "..."
}

const (
	// maxIdentifier is the most bytes of a column's name.
	maxIdentifier = 63
	// maxColumns is the most columns of a table.
	maxColumns = 1600
)

// admit asks for columns for the record's strangers, or tells why there can be
// none.
func (e *Encoder) admit(p *plan, topic string) (reason string) {
	need := e.needOf(topic)
	room := maxColumns - len(p.target.table.Columns)
	if need != nil {
		room -= len(need.Columns)
	}
	for i := range p.strangers.fields {
		s := &p.strangers.fields[i]
		switch {
		case need != nil && slices.ContainsFunc(need.Columns, func(c sinkd.NewColumn) bool { return c.Name == s.name }):
			continue
		case !canBeColumn(s.name):
			return "field " + shortened(s.name) + ": no column takes it, and none can be added, for a column cannot have that name"
		}
		if room--; room < 0 {
			return "field " + s.name + ": no column takes it, and none can be added, for the table has 1600 columns"
		}
	}
	e.want(p, topic)
	return ""
}

// want puts the record's strangers into the topic's need.
func (e *Encoder) want(p *plan, topic string) {
	need := e.needOf(topic)
	if need == nil {
		e.lacking = append(e.lacking, sinkd.Need{Topic: topic})
		need = &e.lacking[len(e.lacking)-1]
	}
	for _, s := range p.strangers.fields {
		n := slices.IndexFunc(need.Columns, func(c sinkd.NewColumn) bool { return c.Name == s.name })
		if n < 0 {
			need.Columns = append(need.Columns, sinkd.NewColumn{Name: s.name, Type: s.kind.String()})
			continue
		}
		need.Columns[n].Type = s.kind.with(need.Columns[n].Type)
	}
}

// needOf gives what the batch in work needs of the topic, nil if nothing yet.
func (e *Encoder) needOf(topic string) *sinkd.Need {
	for i := range e.lacking {
		if e.lacking[i].Topic == topic {
			return &e.lacking[i]
		}
	}
	return nil
}

// ask gives the batch's needs, and leaves the batch as if it had not been
// encoded.
func (e *Encoder) ask(b *sinkd.Batch) []sinkd.Need {
	e.abandon()
	e.Recycle(b)
	for i := range b.Ranges {
		b.Ranges[i].Count = sinkd.Count{}
	}
	needs := e.lacking
	e.lacking = nil
	return needs
}

// canBeColumn tells whether Postgres takes the name for a new column.
func canBeColumn(name string) bool {
	switch name {
	case "", "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid":
		return false
	}
	return len(name) <= maxIdentifier && !strings.Contains(name, "\x00")
}
