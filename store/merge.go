package store

import (
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// list is one list of columns, and where the rows that fill them are.
type list struct {
	columns []string
	// rows are those of a list that has a stage of its own.
	rows *sinkd.Rows
	// stage holds the rows; number tells them from others there, empty where
	// there are none.
	stage  *stage
	number string
}

// joins makes the planner go through the rows of the stage and look each up by
// the key's index. Left to itself it may take the plan that fits the table as
// it was, empty, and keep it while the table grows: a nested loop over
// sequential scans. The plans of statements without parameters are kept
// whatever plan_cache_mode says, so those that join have one.
var joins = []setting{{"enable_seqscan", "off"}, {"enable_hashjoin", "off"}, {"enable_mergejoin", "off"}}

// setting is one of the server's for some statements.
type setting struct{ name, value string }

const customPlans = `SET LOCAL plan_cache_mode = force_custom_plan`

// guarded puts settings around the load's statements, and takes them back.
func (ld *load) guarded(settings []setting, statements []request) []request {
	if len(statements) == 0 {
		return nil
	}
	requests := []request{ld.request(customPlans)}
	for _, s := range settings {
		requests = append(requests, ld.request("SET LOCAL "+s.name+" = "+s.value))
	}
	requests = append(requests, statements...)
	for _, s := range settings {
		requests = append(requests, ld.request("SET LOCAL "+s.name+" TO DEFAULT"))
	}
	return append(requests, ld.request("SET LOCAL plan_cache_mode TO DEFAULT"))
}

// request is a statement of the load; one that joins has a parameter, true.
func (ld *load) request(sql string) request {
	r := request{sql: sql, load: ld}
	if strings.Contains(sql, planned) {
		r.args = []any{true}
	}
	return r
}

// planned is the condition that gives a statement a parameter.
const planned = "$1::boolean"

// lists are the lists of columns that do op.
func (ld *load) lists(op sinkd.Op) []list {
	var lists []list
	for n, r := range ld.rows {
		if r.Op == op {
			lists = append(lists, ld.list(n))
		}
	}
	return lists
}

func (ld *load) list(n int) list {
	if ld.shared {
		return list{columns: ld.rows[n].Columns, stage: ld.stages[0], number: numberOf(n)}
	}
	return list{columns: ld.rows[n].Columns, rows: ld.rows[n], stage: ld.stages[n]}
}

// remove are the statements that delete and mark what the table has.
func (ld *load) remove() []request {
	var statements []request
	for _, li := range ld.lists(sinkd.Delete) {
		statements = append(statements, ld.request("DELETE FROM "+ld.target()+" USING "+li.stage.name+" AS s"+where(ld.matches(), li.is(), ld.bar)))
	}
	for _, li := range ld.lists(sinkd.Mark) {
		statements = append(statements, ld.request(ld.markSQL(li)))
	}
	return ld.guarded(joins, statements)
}

// markSQL marks what the table has under the keys, by the last mark of each.
func (ld *load) markSQL(li list) string {
	from := li.stage.name + " AS s"
	if ld.unfolded() {
		from = "(SELECT DISTINCT ON (" + ld.keyList() + ") s.* FROM " + from + where(li.is()) +
			" ORDER BY " + ld.keyList() + ", s." + placeColumn + " DESC) AS s"
	}
	return "UPDATE " + ld.target() + " SET " + ld.sets(li.columns, "s.") + " FROM " + from + where(ld.matches(), li.is(), ld.bar)
}

// write are the statements that let the rows of lists enter the table.
func (ld *load) write(lists []list) []request {
	var requests []request
	for _, li := range lists {
		if ld.merges(li) {
			ld.merged = true
			requests = append(requests, ld.merge(li)...)
			continue
		}
		requests = append(requests, ld.guarded(joins, ld.known(li))...)
		if insert := ld.insertSQL(li); ld.counts() {
			requests = append(requests, ld.counted(li, insert))
		} else {
			requests = append(requests, ld.request(insert))
		}
	}
	return requests
}

// known are the statements for rows whose key the table has, where an insert
// might be refused for columns that they lack, or knows no conflicts: an update,
// with which those rows are taken out of the stage. Both are one statement, and
// so have one snapshot: a key that somebody else writes in between would be
// taken out without having been updated.
func (ld *load) known(li list) []request {
	if ld.appends() || !ld.shape.instead && !ld.checks(li) {
		return nil
	}
	done := "DELETE FROM " + li.stage.name + " AS s USING " + ld.target() + where(ld.matches(), li.is())
	set := ld.sets(li.columns, "s.")
	if ld.ignores() || set == "" {
		return []request{ld.request(done)}
	}
	update := "UPDATE " + ld.target() + " SET " + set + " FROM " + li.stage.name + " AS s" +
		where(ld.matches(), li.is(), ld.newer(li, func(c string) string { return ld.source("s.", c) }))
	return []request{ld.updated(update, done)}
}

// checks tells that an insert of the rows checks columns that they lack.
func (ld *load) checks(li list) bool {
	return slices.ContainsFunc(ld.table.Columns, func(c sinkd.Column) bool {
		return !c.Generated && !slices.Contains(li.columns, c.Name) &&
			(ld.shape.view || c.NotNull && !c.Default || ld.shape.columns[c.Name].checked)
	})
}

// insertSQL inserts the rows of a list in the mode's way.
func (ld *load) insertSQL(li list) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + ld.target() + " (" + names(li.columns, "") + ") SELECT " + ld.values(li) +
		" FROM " + li.stage.name + " AS s" + where(li.is()))
	if ld.appends() || ld.shape.instead {
		return b.String()
	}
	b.WriteString(" ON CONFLICT (" + names(ld.table.Key, "") + ") DO ")
	set := ld.sets(li.columns, "excluded.")
	if ld.ignores() || set == "" {
		b.WriteString("NOTHING")
		return b.String()
	}
	b.WriteString("UPDATE SET " + set + where(ld.newer(li, func(c string) string { return "excluded." + quote(c) })))
	return b.String()
}

// merges tells that the rows of a list enter by MERGE, which costs Postgres less
// than an insert that conflicts. It cannot tell by ranges what it did, and lists
// that share a stage may have keys in common.
func (ld *load) merges(li list) bool {
	return ld.mayMerge && ld.shape.merges && !ld.table.Staged && li.number == "" &&
		!ld.ignores() && !ld.counts() && ld.place == nil && len(li.columns) > ld.keys() && !ld.checks(li)
}

// unmerged tells that the error may be of MERGE alone: somebody else wrote a key,
// or the table has rules, or belongs to an extension, that know no MERGE.
func unmerged(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == uniqueViolation || pg.Code == featureNotSupported)
}

// merge are the statements that merge the rows of a list.
func (ld *load) merge(li list) []request {
	s := ld.span(li.rows)
	if s == nil {
		return ld.guarded(joins, []request{ld.request(ld.mergeSQL(li, li.stage.name, ld.matches()))})
	}
	sweep := ld.request(ld.sweepSQL(li))
	sweep.args = append(sweep.args, s.first, s.last)
	return ld.guarded(sweeps, []request{sweep})
}

// mergeSQL updates what the table has under the keys of the rows, and inserts the
// others.
func (ld *load) mergeSQL(li list, rows, matches string) string {
	return "MERGE INTO " + ld.target() + " USING " + rows + " AS s ON " + matches +
		" WHEN MATCHED THEN UPDATE SET " + ld.sets(li.columns, "s.") +
		" WHEN NOT MATCHED THEN INSERT (" + names(li.columns, "") + ") VALUES (" + ld.values(li) + ")"
}

// values are the columns of a list as they are in the stage.
func (ld *load) values(li list) string {
	values := make([]string, len(li.columns))
	for i, c := range li.columns {
		values[i] = ld.source("s.", c)
	}
	return strings.Join(values, ", ")
}

// newer is the condition that the row is not older than the table's, empty
// where neither versions nor places tell; source gives a column of the row. A
// row without a version is older than any.
func (ld *load) newer(li list, source func(column string) string) string {
	column := ld.version()
	if column == "" {
		return ld.place.notBefore(source)
	}
	has := "t." + quote(column)
	if !slices.Contains(li.columns, column) {
		return has + " IS NULL"
	}
	return "(" + has + " IS NULL OR " + source(column) + " >= " + has + ")"
}

// sets are the assignments of the columns that are not of the key. What comes
// from the stage is cast, what was proposed for insertion is already.
func (ld *load) sets(columns []string, from string) string {
	var b strings.Builder
	for _, c := range columns[ld.keys():] {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(c) + " = ")
		if from == "s." {
			b.WriteString(ld.source(from, c))
		} else {
			b.WriteString(from + quote(c))
		}
	}
	return b.String()
}

// source is a column of the stage, in the column's own type.
func (ld *load) source(from, column string) string {
	if ld.text[column] {
		return "CAST(" + from + quote(column) + " AS " + ld.shape.columns[column].cast + ")"
	}
	return from + quote(column)
}

// matches is the condition that a row of the table has the key of a row of the
// stage.
func (ld *load) matches() string {
	var b strings.Builder
	b.WriteString(planned)
	for i, k := range ld.table.Key {
		b.WriteString(" AND t." + quote(k) + " " + ld.shape.keys[i].operator + " " + ld.key(i))
	}
	return b.String()
}

// key is column i of the key of the stage's rows, as the key's index has it.
func (ld *load) key(i int) string {
	return ld.source("s.", ld.table.Key[i]) + ld.shape.keys[i].collation
}

func (ld *load) keyList() string {
	keys := make([]string, len(ld.table.Key))
	for i := range keys {
		keys[i] = ld.key(i)
	}
	return strings.Join(keys, ", ")
}

func (ld *load) target() string { return quote(ld.table.Schema, ld.table.Name) + " AS t" }

// is is the condition that a row of the stage is one of the list.
func (li list) is() string {
	if li.number == "" {
		return ""
	}
	return "s." + listColumn + " = '" + li.number + "'"
}

// names joins quoted names.
func names(columns []string, prefix string) string {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(prefix + quote(c))
	}
	return b.String()
}

// where joins the conditions that are not empty.
func where(conditions ...string) string {
	conditions = slices.DeleteFunc(conditions, func(c string) bool { return c == "" })
	if len(conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(conditions, " AND ")
}
