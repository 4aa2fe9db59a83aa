package store

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// sift finds all the records of a refused batch that the constraints of the
// table refuse, where one of them was: each would cost a transaction otherwise.
// It is asked of Postgres behind the transaction, in another one that holds the
// table as COPY does, so that none of its columns and constraints changes
// meanwhile. A record is found only where its row would be refused alone as well,
// and where the table has in truth refused one for the same constraint; the
// reason is what it said then.
func (t *transaction) sift(ctx context.Context, e *sinkd.Error) {
	pg, ok := errors.AsType[*pgconn.PgError](error(e))
	if !ok || e.Class != sinkd.Data || t.conn == nil || t.batch.Records() < 2 {
		return
	}
	for _, ld := range t.loads {
		if e.Table != ld.table.String() || ruleOf(pg, ld.table).name == "" || !ld.alone(t.batch) {
			continue
		}
		tr := trialOf(&t.sifts, trialKey{table: ld.table.OID})
		if tr.left > 0 {
			tr.left--
			continue
		}
		found := len(e.Dead)
		for _, r := range ld.rows {
			if r.Op == sinkd.Write && len(r.Row) > 0 && (ld.appends() || whole(ld.table, r.Columns)) {
				e.Dead = append(e.Dead, t.siftRows(ctx, ld, r)...)
			}
		}
		if len(e.Dead) == found {
			tr.fail()
		} else {
			tr.wait = 0
		}
	}
}

// alone tells that what the table refuses is one record: rows enter it as the
// encoder made them, each of one record of its own, whatever it has already.
func (ld *load) alone(b *sinkd.Batch) bool {
	switch {
	case ld.table.Triggers || !ld.plain():
		return false
	case ld.appends():
		return true
	case ld.ignores() || ld.version() != "" || ld.place != nil || ld.told:
		return false
	}
	rows := len(b.Dead)
	for i := range b.Rows {
		rows += len(b.Rows[i].Row)
	}
	return rows == b.Records()
}

// siftRows gives dead letters of the rows that the table refuses, none where
// that cannot be told.
func (t *transaction) siftRows(ctx context.Context, ld *load, r *sinkd.Rows) []sinkd.DeadLetter {
	if t.conn == nil {
		return nil // it was lost with the list before
	}
	stages := len(t.stages)
	letters, err := t.pour(ctx, ld, r)
	if err == nil {
		err = t.keep(ctx)
	}
	if err != nil {
		t.clean(ctx)
		t.stages = t.stages[:stages] // what was made is gone
		return nil
	}
	return letters
}

// errUnsifted tells that it cannot be told without the table whether a row is
// refused.
var errUnsifted = errors.New("the table has no sieve")

// pour copies the rows into the table's sieve, and gives dead letters of those
// that it holds back, inside of a transaction that it leaves open.
func (t *transaction) pour(ctx context.Context, ld *load, r *sinkd.Rows) ([]sinkd.DeadLetter, error) {
	lock := "LOCK TABLE ONLY " + quote(ld.table.Schema, ld.table.Name) + " IN ROW EXCLUSIVE MODE"
	if _, err := t.exchange(ctx, request{sql: beginSQL}, request{sql: lock}, ld.same(true)); err != nil {
		return nil, err
	}
	s, err := t.describe(ctx, ld.table, r.Columns)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, errUnsifted
	}
	var stages []*stage
	if err := t.stage(ctx, &stages, s.columns, false); err != nil {
		return nil, err
	}
	if err := t.copyRows(ctx, r.Buf, copySQL(stages[0].name, names(r.Columns, ""))); err != nil {
		return nil, err
	}
	results, err := t.exchange(ctx, request{sql: violatorsSQL(stages[0]), load: ld}, request{sql: savepointSQL})
	if err != nil {
		return nil, err
	}
	return t.letters(ctx, ld, r, s.verdicts(results[0]))
}

const (
	savepointSQL = `SAVEPOINT sinkd_one`
	undoSQL      = `ROLLBACK TO SAVEPOINT sinkd_one`
)

// letters gives the dead letters of rows that violate a rule, where the table
// refuses the first of each rule for that.
func (t *transaction) letters(ctx context.Context, ld *load, r *sinkd.Rows, verdicts []verdict) ([]sinkd.DeadLetter, error) {
	said := make(map[rule]*sinkd.Error)
	letters := make([]sinkd.DeadLetter, 0, len(verdicts))
	for _, v := range verdicts {
		e, asked := said[v.rule]
		if !asked {
			e = t.refusal(ctx, ld, r, v)
			said[v.rule] = e
			if _, err := t.exchange(ctx, request{sql: undoSQL}); err != nil {
				return nil, err
			}
		}
		if e != nil {
			letters = append(letters, e.Letter(t.batch.Record(r.Row[v.row])))
		}
	}
	return letters, nil
}

// refusal is what the table says of a row alone, nil where that is not what is
// expected. If it takes the row, that is undone by the caller.
func (t *transaction) refusal(ctx context.Context, ld *load, r *sinkd.Rows, v verdict) *sinkd.Error {
	stream := slices.Concat([]byte(sinkd.CopyHeader), r.Tuple(v.row), []byte(sinkd.CopyTrailer))
	err := t.copyRows(ctx, stream, copySQL(quote(ld.table.Schema, ld.table.Name), names(r.Columns, "")))
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || ruleOf(pg, ld.table) != v.rule || !certain(pg, ld.table) {
		return nil
	}
	return &sinkd.Error{Class: sinkd.Data, SQLState: pg.Code, Err: &refusal{pg: pg, table: ld.table}}
}

// keep ends the transaction, which empties the sieve.
func (t *transaction) keep(ctx context.Context) error {
	results, err := t.exchange(ctx, request{sql: commitSQL})
	if err == nil && results[0].CommandTag.String() != "COMMIT" {
		err = errUnsifted
	}
	return err
}
