package store

import (
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sinkd/sinkd"
)

// place are the columns of a table that have a row's place in the log: which
// record it is by. topic is empty where all rows are of one.
type place struct{ topic, partition, offset string }

// placeOf gives the table's, nil where it has none by which two rows of a key
// can be compared.
func placeOf(t *sinkd.Table, r *sinkd.Route) *place {
	p := &place{
		topic:     taking(t, r, "kafka_topic", "@topic"),
		partition: taking(t, r, "kafka_partition", "@partition"),
		offset:    taking(t, r, "kafka_offset", "@offset"),
	}
	several := r.Pattern != nil || len(r.Topics) != 1
	if p.partition == "" || p.offset == "" || several && p.topic == "" || !numeric(t, p.offset) {
		return nil
	}
	return p
}

// taking gives the column that takes a source of the record: by SINKD_COLUMNS,
// or by its name.
func taking(t *sinkd.Table, r *sinkd.Route, name, source string) string {
	for _, m := range r.Columns {
		if m.Source == source {
			return m.Column
		}
	}
	named := func(m sinkd.Mapping) bool { return m.Column == name }
	if columnOf(t, name) != nil && !slices.ContainsFunc(r.Columns, named) {
		return name
	}
	return ""
}

// numeric tells whether the column's values are in the order of numbers.
func numeric(t *sinkd.Table, column string) bool {
	c := columnOf(t, column)
	return c != nil && slices.Contains([]uint32{pgtype.Int4OID, pgtype.Int8OID, pgtype.NumericOID}, c.Type)
}

func columnOf(t *sinkd.Table, name string) *sinkd.Column {
	if i := slices.IndexFunc(t.Columns, func(c sinkd.Column) bool { return c.Name == name && !c.Generated }); i >= 0 {
		return &t.Columns[i]
	}
	return nil
}

// notBefore is the condition that a record does not lie before the one that the
// table's row is by: that is another partition's, or nothing says what it is
// by, or it does not come later. source gives a column of the record's row.
func (p *place) notBefore(source func(column string) string) string {
	if p == nil {
		return ""
	}
	condition := "(t." + quote(p.offset) + " IS NULL OR " + source(p.offset) + " >= t." + quote(p.offset)
	for _, c := range []string{p.partition, p.topic} {
		if c != "" {
			condition += " OR t." + quote(c) + " IS DISTINCT FROM " + source(c)
		}
	}
	return condition + ")"
}
