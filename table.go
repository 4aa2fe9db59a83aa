package sinkd

// Table is a target table as the catalog describes it at one moment.
type Table struct {
	OID          uint32
	Schema, Name string
	Columns      []Column
	// Key is the columns of the unique index that the route's mode works by, as
	// the route names them; the primary key's where it names none; empty if
	// there is none.
	Key []string
	// Staged tells that COPY cannot write the table: it is a view, or its
	// row-level security applies to the role.
	Staged bool
	// Triggers tells that triggers may change rows before they enter the table,
	// or a table of its partition tree.
	Triggers bool
}

// Column is one column of a target table.
type Column struct {
	Name string
	// Type is the type's OID; a domain is given by its base type.
	Type uint32
	// Declared is the OID of the column's type as it is declared, a domain's own.
	Declared uint32
	// Kind is the type's pg_type.typtype: b base, e enum, c composite, r range,
	// m multirange.
	Kind byte
	// Elem is the element type's OID where the type is an array (Typmod is the
	// elements' then), ElemKind its pg_type.typtype; 0 otherwise.
	Elem     uint32
	ElemKind byte
	// TypeName is the type as format_type prints it, for messages.
	TypeName string
	// Typmod is the type modifier, -1 if there is none: the length of
	// varchar(n), precision and scale of numeric(p,s).
	Typmod  int32
	NotNull bool
	// Nondeterministic tells that the column's collation finds texts equal whose
	// bytes differ.
	Nondeterministic bool
	// Default tells that an insert may leave the column out without getting
	// NULL: it has a default, or is an identity.
	Default bool
	// Generated tells that the column cannot be written: GENERATED ALWAYS, be
	// it an expression or an identity.
	Generated bool
}

// String gives schema.table, unquoted, for messages.
func (t *Table) String() string { return t.Schema + "." + t.Name }

// Landing names the columns of a landing table, in order, with their types.
// A table that has exactly these columns takes the record as it is.
func Landing() []Column {
	return []Column{
		{Name: "kafka_topic", Type: 25, TypeName: "text", Typmod: -1},
		{Name: "kafka_partition", Type: 23, TypeName: "integer", Typmod: -1},
		{Name: "kafka_offset", Type: 20, TypeName: "bigint", Typmod: -1},
		{Name: "kafka_timestamp", Type: 1184, TypeName: "timestamp with time zone", Typmod: -1},
		{Name: "kafka_key", Type: 25, TypeName: "text", Typmod: -1},
		{Name: "kafka_headers", Type: 3802, TypeName: "jsonb", Typmod: -1},
		{Name: "value", Type: 3802, TypeName: "jsonb", Typmod: -1},
	}
}

// LandingKey names the primary key of a landing table that is written more than
// once: the record's coordinates.
func LandingKey() []string { return []string{"kafka_topic", "kafka_partition", "kafka_offset"} }

// IsLanding tells whether the table's columns are those of a landing table,
// in whatever order.
func (t *Table) IsLanding() bool {
	landing := Landing()
	if len(t.Columns) != len(landing) {
		return false
	}
	types := make(map[string]uint32, len(landing))
	for _, c := range landing {
		types[c.Name] = c.Type
	}
	for _, c := range t.Columns {
		if want, ok := types[c.Name]; !ok || want != c.Type {
			return false
		}
	}
	return true
}
