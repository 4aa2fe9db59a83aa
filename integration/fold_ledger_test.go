package integration_test

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// foldTally is what the ledger has to say of a partition.
type foldTally struct {
	from, until int64
	records     int64
	least, most int64 // skipped
	dead        []int64
}

// fold applies the records of a partition, and tallies them.
//
// With versions, a record that is too old may count as a row, where a later one
// of the same batch superseded it.
func (m *foldModel) fold(p *foldPart) *foldTally {
	tally := &foldTally{from: p.from, until: p.until, records: int64(len(p.records))}
	clear(m.unread)
	for _, rec := range p.records {
		switch m.apply(rec) {
		case asDead:
			tally.dead = append(tally.dead, rec.Offset)
		case asSkipped:
			tally.most++
		case asRow:
		}
	}
	if tally.least = tally.most; m.table.version != "" {
		tally.least = int64(len(m.unread))
	}
	return tally
}

// ledger compares what the ledger says of a table's topic, and its dead
// letters.
func (w *foldWriter) ledger(t *foldTable, want map[sinkd.Partition]*foldTally) []string {
	w.t.Helper()
	rows, err := w.db.Query(w.t.Context(), `
		SELECT b.partition, min(from_offset), max(until_offset), sum(until_offset - from_offset),
		       sum(records), sum(skipped), sum(rows), sum(dead), count(*) FILTER (WHERE records <> rows + skipped + dead),
		       ARRAY(SELECT record_offset FROM sinkd.dead_letters d
		              WHERE d.topic = $1 AND d.partition = b.partition ORDER BY 1)
		  FROM sinkd.batches b WHERE topic = $1 GROUP BY partition`, t.name)
	try(w.t, err)
	var id int32
	var from, until, covered, records, skipped, written, dead, wrong int64
	var letters []int64
	var findings []string
	_, err = pgx.ForEachRow(rows, []any{&id, &from, &until, &covered, &records, &skipped, &written, &dead, &wrong, &letters}, func() error {
		p := sinkd.Partition{Topic: t.name, ID: id}
		tally := want[p]
		delete(want, p)
		if wrong > 0 || covered != until-from {
			findings = append(findings, fmt.Sprintf("%s: %d ranges do not add up, %d offsets covered in [%d,%d)", p, wrong, covered, from, until))
		}
		if from != tally.from || until != tally.until || records != tally.records || dead != int64(len(tally.dead)) ||
			skipped < tally.least || skipped > tally.most || !slices.Equal(letters, tally.dead) {
			findings = append(findings, fmt.Sprintf("%s: ledger [%d,%d), %d records, %d rows, %d skipped, %d dead, letters %d; want %+v",
				p, from, until, records, written, skipped, dead, letters, *tally))
		}
		return nil
	})
	try(w.t, err)
	for p, tally := range want {
		if tally.from < tally.until {
			findings = append(findings, fmt.Sprintf("%s: not in the ledger, want %+v", p, *tally))
		}
	}
	return findings
}
