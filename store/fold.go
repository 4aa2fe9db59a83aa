package store

import (
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

func numberOf(n int) string { return strconv.Itoa(n) }

// fold are the statements that fold the rows of a load by Postgres's equality
// into its second stage, as if they had been written one after the other: what
// comes after a key's last delete, each column as it was last given. Where only
// marks are left there is nothing to write: what the table has is marked already. The lists
// of columns of that stage are told by the numbers of those that went into them.
func (ld *load) fold() []request {
	switch {
	case ld.ignores():
		return []request{ld.request(ld.firstSQL())}
	case ld.version() == "":
		return []request{ld.request(ld.foldSQL())}
	}
	outdated := ld.request("WITH " + ld.applicableSQL() + " SELECT s." + rangeColumn + `, count(*) FROM "sinkd:v" AS s WHERE NOT ` +
		ld.inOrder() + " GROUP BY 1")
	outdated.sense, outdated.tally = 1, byRange
	// The table is looked at by its key's index; the joins are between stages.
	return ld.guarded(joins[:1], []request{outdated, ld.request(ld.foldSQL())})
}

// census asks for the lists of columns that folding gave, and counts the rows
// that may yet have no effect.
func (ld *load) census() request {
	r := ld.request("SELECT " + rangeColumn + ", count(*), " + listColumn + " FROM " + ld.folded.name + " GROUP BY 1, 3")
	if r.tally = byList; ld.version() != "" {
		r.sense = 1
	}
	return r
}

// asks tells that the lists of columns are known only when rows are folded.
func (ld *load) asks() bool {
	return ld.folded != nil && !ld.ignores() && (ld.version() != "" || len(ld.givers()) > 1)
}

// givers are the numbers of the lists that give columns to a row.
func (ld *load) givers() []int {
	var numbers []int
	for n, r := range ld.rows {
		if r.Op != sinkd.Delete {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// foldedLists gives the lists of columns of the folded rows, by the answer to
// the census where there is one.
func (ld *load) foldedLists(answer *pgconn.Result) []list {
	var lists []list
	add := func(number string) {
		if !slices.ContainsFunc(lists, func(li list) bool { return li.number == number }) {
			lists = append(lists, list{columns: ld.union(number), stage: ld.folded, number: number})
		}
	}
	if answer != nil {
		for _, row := range answer.Rows {
			add(string(row[2]))
		}
		return lists
	}
	for _, n := range ld.givers() {
		add(numberOf(n))
	}
	return lists
}

// union gives the columns that the lists of these numbers have together.
func (ld *load) union(numbers string) []string {
	var columns []string
	for number := range strings.SplitSeq(numbers, ",") {
		n, err := strconv.Atoi(number)
		if err != nil || n >= len(ld.rows) {
			continue
		}
		for _, c := range ld.rows[n].Columns {
			if !slices.Contains(columns, c) {
				columns = append(columns, c)
			}
		}
	}
	return columns
}

// firstSQL folds by taking the first row of each key.
func (ld *load) firstSQL() string {
	return ld.intoFolded() + " SELECT DISTINCT ON (" + ld.keyList() + ") s." + rangeColumn + ", s." + listColumn + "::text, s." +
		placeColumn + ", " + names(ld.columns, "s.") + " FROM " + ld.stages[0].name + " AS s ORDER BY " + ld.keyList() + ", s." + placeColumn
}

func (ld *load) intoFolded() string {
	return "INSERT INTO " + ld.folded.name + " (" + rangeColumn + ", " + listColumn + ", " + placeColumn + ", " + names(ld.columns, "") + ")"
}

// foldSQL folds by overlaying: the key as it was first written, the columns of
// each kind as they were last given.
func (ld *load) foldSQL() string {
	var b, from strings.Builder
	stage := ld.stages[0].name
	b.WriteString(ld.intoFolded() + " WITH " + ld.applicableSQL() + `, "sinkd:g" AS (SELECT min(s.` + placeColumn + ") AS first, max(s." +
		placeColumn + ") AS last, string_agg(DISTINCT s." + listColumn + "::text, ',') AS lists")
	from.WriteString(` FROM "sinkd:g" AS g JOIN ` + stage + " AS f ON f." + placeColumn + " = g.first JOIN " +
		stage + " AS l ON l." + placeColumn + " = g.last")
	of := make(map[string]string, len(ld.columns))
	for i, k := range ld.kinds() {
		name := "l" // all lists give them, and so does the last row
		if len(k.lists) < len(ld.givers()) {
			name = "x" + numberOf(i)
			b.WriteString(", max(s." + placeColumn + ") FILTER (WHERE " + in(k.lists) + ") AS " + name)
			from.WriteString(" LEFT JOIN " + stage + " AS " + name + " ON " + name + "." + placeColumn + " = g." + name)
		}
		for _, c := range k.columns {
			of[c] = name + "."
		}
	}
	b.WriteString(` FROM "sinkd:v" AS s` + where(ld.inOrder()) + " GROUP BY " + ld.keyList() +
		" HAVING bool_or(" + in(ld.numbers(sinkd.Write)) + ")) SELECT l." + rangeColumn + ", g.lists, g.last")
	for i, c := range ld.columns {
		if i < ld.keys() {
			of[c] = "f."
		}
		b.WriteString(", " + of[c] + quote(c))
	}
	b.WriteString(from.String())
	return b.String()
}

// kind is the columns that are given by the same lists.
type kind struct {
	lists   []int
	columns []string
}

func (ld *load) kinds() []kind {
	var kinds []kind
	for _, c := range ld.columns[ld.keys():] {
		var lists []int
		for _, n := range ld.givers() {
			if slices.Contains(ld.rows[n].Columns, c) {
				lists = append(lists, n)
			}
		}
		at := slices.IndexFunc(kinds, func(k kind) bool { return slices.Equal(k.lists, lists) })
		if at < 0 {
			at = len(kinds)
			kinds = append(kinds, kind{lists: lists})
		}
		kinds[at].columns = append(kinds[at].columns, c)
	}
	return kinds
}

// applicableSQL are the rows behind the last delete of their key, from the
// first that writes it on: before it there is nothing to mark, and what the
// table has is marked already. With versions, each with the greatest before it.
func (ld *load) applicableSQL() string {
	window := "(PARTITION BY " + ld.keyList()
	var b strings.Builder
	b.WriteString(`"sinkd:d" AS (SELECT s.*, ` + ld.edge("min", sinkd.Write, len(ld.numbers(sinkd.Mark)) > 0) + ` AS "sinkd:first", ` +
		ld.edge("max", sinkd.Delete, len(ld.numbers(sinkd.Delete)) > 0) + ` AS "sinkd:gone" FROM ` + ld.stages[0].name +
		" AS s WINDOW p AS " + window + `)), "sinkd:v" AS (SELECT s.*`)
	if v := ld.version(); v != "" {
		base := "(SELECT t." + quote(v) + " FROM " + ld.target() + where(ld.matches()) + ")"
		b.WriteString(", greatest(" + base)
		if slices.Contains(ld.columns, v) {
			b.WriteString(", max(" + ld.source("s.", v) + ") OVER " + window + " ORDER BY s." + placeColumn +
				" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)")
		}
		b.WriteString(`) AS "sinkd:seen"`)
	}
	b.WriteString(` FROM "sinkd:d" AS s WHERE s.` + placeColumn + ` >= s."sinkd:first" AND s.` + placeColumn + ` > s."sinkd:gone")`)
	return b.String()
}

// edge is the first or last place at which op is done to a key; before all
// where none of the batch's rows can tell.
func (ld *load) edge(which string, op sinkd.Op, matters bool) string {
	if !matters {
		return "-1"
	}
	at := which + "(s." + placeColumn + ") FILTER (WHERE " + in(ld.numbers(op)) + ") OVER p"
	if op == sinkd.Delete {
		return "coalesce(" + at + ", -1)"
	}
	return at
}

// inOrder is the condition that a row is not older than those before it; marks
// have no version. Empty where there are no versions.
func (ld *load) inOrder() string {
	v := ld.version()
	if v == "" {
		return ""
	}
	condition := `coalesce(s."sinkd:seen" IS NULL`
	if slices.Contains(ld.columns, v) {
		condition += " OR " + ld.source("s.", v) + ` >= s."sinkd:seen"`
	}
	return condition + " OR " + in(ld.numbers(sinkd.Mark)) + ", false)"
}

// numbers are the numbers of the lists that do op.
func (ld *load) numbers(op sinkd.Op) []int {
	var numbers []int
	for n, r := range ld.rows {
		if r.Op == op {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// in is the condition that a row of the stage is of one of the lists.
func in(lists []int) string {
	if len(lists) == 0 {
		return "false"
	}
	numbers := make([]string, len(lists))
	for i, n := range lists {
		numbers[i] = numberOf(n)
	}
	return "s." + listColumn + " IN (" + strings.Join(numbers, ", ") + ")"
}
