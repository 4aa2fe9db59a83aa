package store

import (
	"slices"

	"github.com/sinkd/sinkd"
)

const (
	// maxLists is how many lists of columns may go straight into a table, each
	// with a COPY of its own.
	maxLists = 8
	// maxOwn is how many may have a stage of their own: each COMMIT empties all
	// stages of the session, those that the batch did not use included.
	maxOwn = 3
)

// load is what a batch has for one table.
type load struct {
	table *sinkd.Table
	route *sinkd.Route
	rows  []*sinkd.Rows
	// eager tells that rows with a key go straight into the table, in the hope
	// that it has none of them.
	eager bool
	// mayMerge tells that rows which do not may enter by MERGE, in the hope that
	// nobody else writes their keys meanwhile.
	mayMerge bool
	// merged tells that some of them do.
	merged bool
	// repeated tells that the rows stand for several records each, which have
	// parted from the table's others.
	repeated bool
	// place are the columns that have a row's place in the log, where an older
	// record must not overwrite a newer one by it.
	place *place
	// bar is what else has to hold of the table's row that a delete removes or
	// marks; told tells that rows are counted that the place keeps out.
	bar  string
	told bool
	// shape is what the session knows of the table; nil where the rows go
	// straight into it.
	shape *shape
	// text has the columns that are staged as text.
	text map[string]bool
	// stages hold one of rows each, or all of them where they share one.
	stages []*stage
	shared bool
	// columns are those of a shared stage, without the ones that the store adds.
	columns []string
	// folded is where rows that bytes cannot fold are folded by SQL, nil where
	// there are none.
	folded *stage
	// places has the place in the log of each range's first record.
	places []int32
	// only is the range of all rows, -1 where they are of several.
	only int32
	// balance has, range by range, the rows that have had no effect so far.
	balance []int
}

// loadsOf gives what the batch has for each table.
func loadsOf(b *sinkd.Batch) []*load {
	var loads []*load
	for i := range b.Rows {
		r := &b.Rows[i]
		at := slices.IndexFunc(loads, func(ld *load) bool { return ld.table == r.Table && ld.route == r.Route })
		if at < 0 {
			at = len(loads)
			loads = append(loads, &load{table: r.Table, route: r.Route, text: map[string]bool{}})
		}
		loads[at].add(r)
	}
	return loads
}

// loads gives what the batch has for each table, with what tells the age of its
// rows where nothing fences a writer.
func (l *lane) loads(b *sinkd.Batch) []*load {
	loads := loadsOf(b)
	if l.store.cfg.Idempotent {
		for _, ld := range loads {
			ld.place = placeOf(ld.table, ld.route)
		}
	}
	return loads
}

func (ld *load) add(r *sinkd.Rows) {
	ld.rows = append(ld.rows, r)
	for i, text := range r.Text {
		if text {
			ld.text[r.Columns[i]] = true
		}
	}
}

// appends tells that the rows enter without a key.
func (ld *load) appends() bool { return appends(ld.route) }

// ignores tells that a row whose key the table has is left out.
func (ld *load) ignores() bool { return !ld.appends() && ld.route.Mode == sinkd.Ignore }

// version is the column that tells which of two rows is newer, or empty.
func (ld *load) version() string {
	if ld.appends() || ld.ignores() {
		return ""
	}
	return ld.route.Version
}

// counts tells that Postgres alone knows which rows have an effect.
func (ld *load) counts() bool { return ld.ignores() || ld.version() != "" || ld.told }

// unfolded tells that a key may be there more than once.
func (ld *load) unfolded() bool {
	return slices.ContainsFunc(ld.rows, func(r *sinkd.Rows) bool { return r.Unfolded })
}

// plain tells that COPY can write the rows into the table as they are.
func (ld *load) plain() bool {
	return !ld.table.Staged && len(ld.text) == 0 && len(ld.rows) <= maxLists &&
		!slices.ContainsFunc(ld.rows, func(r *sinkd.Rows) bool { return r.Op != sinkd.Write || r.Unfolded })
}

// direct tells that the rows go straight into the table.
func (ld *load) direct() bool { return ld.plain() && (ld.appends() || ld.eager) }

// partial tells that rows lack a column that an insert would check and an
// update would leave alone.
func (ld *load) partial() bool {
	return slices.ContainsFunc(ld.rows, func(r *sinkd.Rows) bool {
		return slices.ContainsFunc(ld.table.Columns, func(c sinkd.Column) bool {
			return !c.Generated && !slices.Contains(r.Columns, c.Name)
		})
	})
}

// survey finds what the rows of a staged load need: whose range they are, how
// they are counted, and whether they share a stage.
func (ld *load) survey(b *sinkd.Batch) {
	ld.only, ld.balance = -1, make([]int, len(b.Ranges))
	unfolded := ld.unfolded()
	if ld.counts() {
		ld.count(unfolded && !ld.ignores())
	}
	ld.shared = unfolded || len(ld.rows) > maxOwn || ld.counts() && ld.only < 0
	if !ld.shared {
		return
	}
	// In the table's order, so that batches with the same columns have the same
	// stage, whichever came first.
	ld.columns = slices.Clone(ld.table.Key[:ld.keys()])
	for _, c := range ld.table.Columns {
		has := func(r *sinkd.Rows) bool { return slices.Contains(r.Columns, c.Name) }
		if !slices.Contains(ld.columns, c.Name) && slices.ContainsFunc(ld.rows, has) {
			ld.columns = append(ld.columns, c.Name)
		}
	}
	ld.places = make([]int32, len(b.Ranges))
	for i := 1; i < len(ld.places); i++ {
		ld.places[i] = ld.places[i-1] + int32(b.Ranges[i-1].Records.Len())
	}
}

// keys is the number of the key's columns, with which rows begin.
func (ld *load) keys() int {
	if ld.appends() {
		return 0
	}
	return len(ld.table.Key)
}

// count notes the written rows of each range as without effect so far; where
// superseded ones count as rows, Postgres tells later which those are.
func (ld *load) count(later bool) {
	first := true
	for _, r := range ld.rows {
		if r.Op != sinkd.Write {
			continue
		}
		for _, row := range r.Row {
			switch {
			case first:
				ld.only, first = row.Range, false
			case row.Range != ld.only:
				ld.only = -1
			}
			if !later {
				ld.balance[row.Range]++
			}
		}
	}
}
