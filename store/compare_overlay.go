package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sinkd/sinkd"
)

// overlay is the effect of the rows of one range on what is expected. It says
// anew, row by row, what the write modes are to do, and has nothing in common
// with how they do it.
type overlay struct {
	*load
	// written are the columns that have a bit each, in its order.
	written []string
	// only narrows the rows of the chunk to a round.
	only string
	// place is topic and partition, by number.
	place string
}

// key is column i of the key, as the key's index has it.
func (o *overlay) key(i int) string {
	return o.source("x.", o.table.Key[i]) + o.shape.keys[i].collation
}

// lists is the condition that a row does op, empty where none does.
func (o *overlay) lists(op sinkd.Op) string {
	var numbers []string
	for n, r := range o.rows {
		if r.Op == op {
			numbers = append(numbers, numberOf(n))
		}
	}
	switch {
	case numbers == nil:
		return ""
	case o.only != "":
		return o.only + " AND x." + listColumn + " = ANY ('{" + strings.Join(numbers, ",") + "}'::int4[])"
	}
	return "x." + listColumn + " = ANY ('{" + strings.Join(numbers, ",") + "}'::int4[])"
}

// bits gives the columns that a row gives, by its list.
func (o *overlay) bits() string {
	lists := make([]string, len(o.rows))
	for n, r := range o.rows {
		bits := make([]byte, len(o.written))
		for i, column := range o.written {
			bits[i] = '0'
			if slices.Contains(r.Columns, column) {
				bits[i] = '1'
			}
		}
		lists[n] = string(bits)
	}
	if len(lists) == 1 {
		return "'" + lists[0] + "'::varbit"
	}
	return "('{" + strings.Join(lists, ",") + "}'::varbit[])[x." + listColumn + " + 1]"
}

// crossing is the condition that a row meets one of another partition.
func crossing(other string) string {
	return "(e." + topicColumn + ", e." + partitionColumn + ") IS DISTINCT FROM (" + other + ")"
}

// insert begins an insert of columns of the rows.
func (o *overlay) insert(columns []string, given, gone, is string) string {
	var b strings.Builder
	for _, column := range columns {
		b.WriteString(", " + o.source("x.", column))
	}
	return "INSERT INTO " + expected + " AS e (" + topicColumn + ", " + partitionColumn + ", " + offsetColumn + ", " + givenColumn + ", " +
		goneColumn + ", " + crossedColumn + ", " + names(columns, "") + ") SELECT " + o.place + ", x." + offsetColumn + ", " + given + ", " +
		gone + ", false" + b.String() + " FROM " + chunk + " AS x WHERE " + is + " ON CONFLICT (" + names(o.table.Key, "") + ") DO UPDATE SET "
}

// excludedPlace is the place of the row that was to be inserted.
const excludedPlace = "excluded." + topicColumn + ", excluded." + partitionColumn

// deleteSQL lets rows go, and remembers that they are gone.
func (o *overlay) deleteSQL(is string) string {
	none := "'" + strings.Repeat("0", len(o.written)) + "'::varbit"
	return o.insert(o.table.Key, none, "true", is) +
		crossedColumn + " = e." + crossedColumn + " OR " + crossing(excludedPlace) + ", " +
		givenColumn + " = excluded." + givenColumn + ", " + goneColumn + " = true, " + o.moved("true")
}

// moved lets the row be that of the record, where it applies.
func (o *overlay) moved(applies string) string {
	var sets []string
	for _, column := range []string{topicColumn, partitionColumn, offsetColumn} {
		sets = append(sets, fmt.Sprintf("%s = CASE WHEN %s THEN excluded.%[1]s ELSE e.%[1]s END", column, applies))
	}
	return strings.Join(sets, ", ")
}

// markSQL marks rows as deleted. Those that are not there are none.
func (o *overlay) markSQL(is string) string {
	same := []string{is, "NOT e." + goneColumn}
	for i, k := range o.table.Key {
		same = append(same, "e."+quote(k)+" "+o.shape.keys[i].operator+" "+o.key(i))
	}
	column := o.route.DeletedColumn
	topic, partition, _ := strings.Cut(o.place, ", ")
	return fmt.Sprintf("UPDATE %s AS e SET %s = %s, %s = set_bit(e.%[4]s::bit varying, %d, 1)::varbit, %s = e.%[6]s OR %s, %s = %s, %s = %s, %s = x.%[12]s FROM %s WHERE %s",
		expected, quote(column), o.source("x.", column), givenColumn, slices.Index(o.written, column), crossedColumn, crossing(o.place),
		topicColumn, topic, partitionColumn, partition, offsetColumn, chunk+" AS x", strings.Join(same, " AND "))
}

// writeSQL writes rows in the route's mode.
func (o *overlay) writeSQL(is string) string {
	sql := o.insert(o.columns, o.bits(), "false", is)
	if o.ignores() {
		return sql + crossedColumn + " = e." + crossedColumn + " OR " + crossing(excludedPlace)
	}
	applies, crossed := "true", crossing(excludedPlace)
	if v := o.version(); v != "" {
		v = quote(v)
		applies = "(e." + goneColumn + " OR e." + v + " IS NULL OR excluded." + v + " >= e." + v + ")"
		crossed += " AND (e." + goneColumn + " OR excluded." + v + " IS NOT DISTINCT FROM e." + v + " OR excluded." + givenColumn + " <> e." + givenColumn + ")"
	}
	sets := []string{
		crossedColumn + " = e." + crossedColumn + " OR " + crossed,
		fmt.Sprintf("%s = CASE WHEN NOT %s THEN e.%[1]s WHEN e.%[3]s THEN excluded.%[1]s ELSE e.%[1]s | excluded.%[1]s END", givenColumn, applies, goneColumn),
		goneColumn + " = e." + goneColumn + " AND NOT " + applies,
		o.moved(applies),
	}
	for _, column := range o.columns[o.keys():] {
		given := applies
		if i := slices.Index(o.written, column); !o.always(column) {
			given += fmt.Sprintf(" AND get_bit(excluded.%s, %d) = 1", givenColumn, i)
		}
		sets = append(sets, fmt.Sprintf("%s = CASE WHEN %s THEN excluded.%[1]s ELSE e.%[1]s END", quote(column), given))
	}
	return sql + strings.Join(sets, ", ")
}

// always tells that all written rows have the column.
func (o *overlay) always(column string) bool {
	return !slices.ContainsFunc(o.rows, func(r *sinkd.Rows) bool { return r.Op == sinkd.Write && !slices.Contains(r.Columns, column) })
}
