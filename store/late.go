package store

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sinkd/sinkd"
)

// UnorderedError tells that a table does not say whether a row is newer than
// the record that is replayed.
type UnorderedError struct{ Table string }

// Error says what the table would need, and what goes on without.
func (e *UnorderedError) Error() string {
	return "table " + e.Table + ": nothing tells whether its rows are newer than the dead letters of their keys: " +
		"it takes the columns kafka_partition and kafka_offset, or SINKD_VERSION_COLUMN; --force replays them over whatever is there"
}

// comeLate keeps the rows of a load from overwriting those of newer records.
func (ld *load) comeLate(b *sinkd.Batch) {
	if ld.appends() || ld.ignores() {
		return
	}
	ld.place = placeOf(ld.table, ld.route)
	if ld.place == nil {
		return
	}
	ld.told = ld.version() == "" && !ld.unfolded()
	if b.Records() == 1 {
		ld.bar = ld.place.notBehind(theOnly(b))
	}
}

// theOnly gives the record of a batch that has one.
func theOnly(b *sinkd.Batch) *sinkd.Record {
	for i := range b.Ranges {
		if b.Ranges[i].Records.Len() > 0 {
			return b.Ranges[i].Records.At(0)
		}
	}
	return nil
}

// notBehind is notBefore for one record whose row does not have its place: a
// delete's.
func (p *place) notBehind(rec *sinkd.Record) string {
	return p.notBefore(func(column string) string {
		switch column {
		case p.offset:
			return strconv.FormatInt(rec.Offset, 10)
		case p.partition:
			return fmt.Sprintf("'%d'", rec.Partition)
		}
		return "'" + strings.ReplaceAll(rec.Topic, "'", "''") + "'"
	})
}

// unordered tells that nothing keeps the batch's rows from overwriting newer ones.
func unordered(b *sinkd.Batch) error {
	for _, ld := range loadsOf(b) {
		if !ld.appends() && !ld.ignores() && ld.version() == "" && placeOf(ld.table, ld.route) == nil {
			return &UnorderedError{Table: ld.table.String()}
		}
	}
	return nil
}

// removes tells that a record of the batch deletes or marks.
func removes(b *sinkd.Batch) bool {
	return slices.ContainsFunc(b.Rows, func(r sinkd.Rows) bool { return r.Op != sinkd.Write })
}

// folded tells that several records of the batch became one row, or may become
// one: then the place of the last would let all of them in. Rows that have a
// version tell for each record.
func folded(b *sinkd.Batch) bool {
	rows, keyed := 0, false
	for _, ld := range loadsOf(b) {
		if !ld.appends() && ld.version() == "" {
			keyed = true
		}
		if keyed && ld.unfolded() {
			return true
		}
	}
	for i := range b.Rows {
		rows += len(b.Rows[i].Row)
	}
	records := 0
	for i := range b.Ranges {
		records += b.Ranges[i].Count.Rows
	}
	return keyed && rows < records
}
