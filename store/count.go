package store

import (
	"encoding/binary"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// tally is how a statement tells the rows that it counts.
type tally int

const (
	// byTag: its command tag; the rows are all of one range.
	byTag tally = iota
	// byRange: rows of range and number.
	byRange
	// byList: rows of range, number and list of columns.
	byList
)

// counted gives the insert, and lets it tell the rows that it wrote. INSERT
// cannot return what the row came from, so the keys are looked up in the stage.
func (ld *load) counted(li list, insert string) request {
	if ld.only >= 0 {
		return request{sql: insert, load: ld, sense: -1, tally: byTag}
	}
	var b strings.Builder
	b.WriteString("WITH w AS (" + insert + " RETURNING ")
	same := make([]string, len(ld.table.Key), len(ld.table.Key)+1)
	for i, k := range ld.table.Key {
		if i > 0 {
			b.WriteString(", ")
		}
		name := "k" + numberOf(i)
		b.WriteString("t." + quote(k) + " AS " + name)
		same[i] = "w." + name + " " + ld.shape.keys[i].operator + " " + ld.key(i)
	}
	b.WriteString(") SELECT s." + rangeColumn + ", count(*) FROM w, " + li.stage.name + " AS s" +
		where(append(same, li.is())...) + " GROUP BY 1")
	return request{sql: b.String(), load: ld, sense: -1, tally: byRange}
}

// updated gives the update, with done in the same statement, and lets it tell the
// rows that it wrote.
func (ld *load) updated(update, done string) request {
	returned, told := "1", "SELECT FROM w"
	if ld.counts() && ld.only < 0 {
		returned, told = "s."+rangeColumn+" AS r", "SELECT r, count(*) FROM w GROUP BY 1"
	}
	r := ld.request("WITH w AS (" + update + " RETURNING " + returned + "), d AS (" + done + ") " + told)
	if !ld.counts() {
		return r
	}
	if r.sense = -1; ld.only < 0 {
		r.tally = byRange
	}
	return r
}

// tell notes what statements counted.
func tell(requests []request, results []*pgconn.Result) {
	for i, r := range requests {
		switch {
		case r.sense == 0:
		case r.tally == byTag:
			r.load.balance[r.load.only] += r.sense * int(results[i].CommandTag.RowsAffected())
		default:
			for _, row := range results[i].Rows {
				r.load.balance[binary.BigEndian.Uint32(row[0])] += r.sense * int(int64Of(row[1]))
			}
		}
	}
}

// skipped gives, range by range, how many rows had no effect.
func (t *transaction) skipped() []int {
	skipped := make([]int, len(t.batch.Ranges))
	for _, ld := range t.loads {
		if !ld.counts() || ld.direct() {
			continue
		}
		for i, n := range ld.balance {
			skipped[i] += n
		}
	}
	return skipped
}
