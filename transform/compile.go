package transform

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sinkd/sinkd"
)

// compiler builds the plan of one topic.
type compiler struct {
	route *sinkd.Route
	topic string
	table *sinkd.Table
	plan  *plan
	root  *node
	// demanding tells that a column takes a field of the value, whole that a
	// column takes all of it.
	demanding, whole bool
	// value is the column that takes a value without fields.
	value string
}

// compile makes the plan of a topic whose rows go to the table; the compiler
// has it then.
func compile(r *sinkd.Route, topic string, t *sinkd.Table) (*compiler, error) {
	c := &compiler{route: r, topic: topic, table: t, root: newNode(""), plan: &plan{whole: -1}}
	if err := c.check(); err != nil {
		return nil, err
	}
	mapped, err := c.mapped()
	if err != nil {
		return nil, err
	}
	if err := c.receiver(mapped); err != nil {
		return nil, err
	}
	if err := c.keyed(mapped); err != nil {
		return nil, err
	}
	for i := range t.Columns {
		if col := &t.Columns[i]; !col.Generated && !c.compiled(col.Name) {
			if err := c.column(col, mapped); err != nil {
				return nil, err
			}
		}
	}
	if len(c.plan.columns) == 0 {
		return nil, c.refuse("give the table a column that can be written", "no column of the table can be written")
	}
	c.finish()
	return c, nil
}

// finish completes the plan once all columns have their source.
func (c *compiler) finish() {
	p := c.plan
	p.landing = c.keptAsRow()
	for i := range c.table.Columns {
		if col := &c.table.Columns[i]; col.Generated && c.demanding {
			n := c.root.step(col.Name)
			c.concern(n, col)
			c.field(&n.cell)
		}
	}
	c.estrange()
	if c.root.branches() || c.root.text >= 0 {
		p.decoder = &jsonDecoder{root: c.root, what: "value", strangers: p.strangers}
	}
	p.lacks = newSet(len(p.columns))
	p.whole = c.root.text
	p.demanding = c.demanding && !c.whole
}

// check refuses what is not built yet.
func (c *compiler) check() error {
	switch {
	case c.route == nil:
		return c.refuse("add a route for the topic", "no route takes topic %s", c.topic)
	case c.route.Format != "" && c.route.Format != "json" && !c.opaque():
		return c.refuse("use SINKD_FORMAT=json, text or bytes", "format %s is not supported yet", c.route.Format)
	}
	return nil
}

// mapped gives the sources that SINKD_COLUMNS names, by column.
func (c *compiler) mapped() (map[string]string, error) {
	mapped := make(map[string]string, len(c.route.Columns))
	for _, m := range c.route.Columns {
		column := c.find(m.Column)
		switch {
		case column == nil:
			return nil, c.refuse(c.suggest(m.Column), "SINKD_COLUMNS names column %q, which does not exist", m.Column)
		case column.Generated:
			return nil, c.refuse("take it out of SINKD_COLUMNS", "SINKD_COLUMNS names column %q, which is generated, so Postgres fills it by itself", m.Column)
		case mapped[m.Column] != "":
			return nil, c.refuse("name it once", "SINKD_COLUMNS names column %q twice", m.Column)
		}
		mapped[m.Column] = m.Source
	}
	return mapped, nil
}

func (c *compiler) find(name string) *sinkd.Column {
	for i := range c.table.Columns {
		if c.table.Columns[i].Name == name {
			return &c.table.Columns[i]
		}
	}
	return nil
}

// column adds a column of the table to the plan.
func (c *compiler) column(col *sinkd.Column, mapped map[string]string) error {
	put := encoderOf(col, c.route)
	text := put == nil
	if text {
		put = textFormOf(col, c.route)
	}
	from, ok := mapped[col.Name]
	if !ok {
		from = c.byName(col)
	}
	out := column{name: col.Name, label: labelOf(col), from: from, put: put, verbatim: verbatimOf(col), text: text, notNull: col.NotNull}
	var err error
	switch {
	case ok && !strings.HasPrefix(from, "@"):
		out.from = "field " + from
		out.cell, err = c.path(col, strings.Split(from, "."))
	case from == "" && c.opaque():
		out.from, out.cell = "field "+col.Name, c.newCell()
	case from == "":
		out.from = "field " + col.Name
		out.cell, err = c.path(col, []string{col.Name})
	default:
		out.cell, err = c.source(col, from)
	}
	if err != nil {
		return err
	}
	if c.mayLack(col) {
		c.plan.optional = append(c.plan.optional, len(c.plan.columns))
	}
	c.plan.columns = append(c.plan.columns, out)
	return nil
}

// byName gives the source that a column has by its name, empty for the field
// of that name.
func (c *compiler) byName(col *sinkd.Column) string {
	if c.table.IsLanding() && col.Name == "value" || c.value != "" && col.Name == c.value {
		return "@value"
	}
	return coordinates[col.Name]
}

// path gives the cell of a field of the value.
func (c *compiler) path(col *sinkd.Column, names []string) (int, error) {
	n := c.root
	for _, name := range names {
		if name == "" {
			return 0, c.refuse("write it as field or field.field",
				"column %q takes its value from %s, which is not a path", col.Name, strings.Join(names, "."))
		}
		n = n.step(name)
		c.concern(n, col)
	}
	n.bytea = n.bytea || col.Type == oidBytea
	c.demanding = true
	if takesJSON(col) {
		return c.field(&n.text), nil
	}
	return c.field(&n.cell), nil
}

// concern remembers the column that a field's faults concern.
func (c *compiler) concern(n *node, col *sinkd.Column) {
	if n.label == "" {
		n.label = labelOf(col)
	}
}

// labelOf names a column and its type, for messages.
func labelOf(col *sinkd.Column) string {
	return "column " + col.Name + " (" + col.TypeName + ")"
}

// field gives a field's cell, which it makes where there is none.
func (c *compiler) field(cell *int) int {
	if *cell < 0 {
		*cell = c.newCell()
		c.plan.fields = append(c.plan.fields, *cell)
	}
	return *cell
}

// source gives the cell of an @ source.
func (c *compiler) source(col *sinkd.Column, from string) (int, error) {
	s, ok := parseSource(from)
	if !ok {
		return 0, c.refuse("the sources are a field's path and "+knownSources, "column %q takes its value from %s, which does not exist", col.Name, from)
	}
	c.whole = c.whole || s.origin == fromValue
	s.form = c.formOf(col)
	if s.origin == fromValue && takesJSON(col) && !c.opaque() {
		if c.root.text < 0 {
			c.root.text = c.newCell()
			c.concern(c.root, col)
		}
		return c.root.text, nil
	}
	s.cell = c.newCell()
	c.plan.sources = append(c.plan.sources, s)
	return s.cell, nil
}

func (c *compiler) newCell() int {
	c.plan.cells = append(c.plan.cells, Value{})
	return len(c.plan.cells) - 1
}

// refuse is a configuration error of the route.
func (c *compiler) refuse(hint, format string, args ...any) error {
	e := &sinkd.Error{Class: sinkd.Configuration, Kind: sinkd.Refused, Topic: c.topic, Hint: hint}
	reason := fmt.Sprintf(format, args...)
	if c.table != nil {
		e.Table = c.table.String()
		reason = "table " + e.Table + ": " + reason
	}
	e.Err = errors.New(reason)
	return e
}
