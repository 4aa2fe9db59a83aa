package store

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// stateSQL gives the state of a table, which a change of its checks changes.
const stateSQL = `SELECT c.oid || ' ' || c.xmin FROM pg_class c WHERE c.oid = $1::oid`

// locate finds a record that a check or NOT NULL refuses among those of a staged
// load: the statement that lets all of them in does not say. They are copied into
// an empty table that is like the target, and COPY names the one. Without it a
// batch would be halved again and again for each such record. It is where to
// split and not yet who is to blame: a row may hold what several records of its
// key say, and a trigger may mend it.
func (t *transaction) locate(ctx context.Context, e *sinkd.Error) {
	pg, ok := errors.AsType[*pgconn.PgError](error(e))
	if !ok || e.Class != sinkd.Data || e.Record != nil || t.batch.Records() < 2 || t.conn == nil ||
		pg.Code != checkViolation && pg.Code != notNullViolation {
		return
	}
	for _, ld := range t.loads {
		if ld.shape == nil || ld.shape.view || e.Table != ld.table.String() || ld.unfolded() {
			continue
		}
		state := t.state(ctx, ld)
		if state == "" {
			continue
		}
		for _, r := range ld.rows {
			if r.Op == sinkd.Write && len(r.Text) == 0 && whole(ld.table, r.Columns) && t.locateIn(ctx, r, state, e) {
				return
			}
		}
	}
}

// state gives the state of the load's table, empty where it is not to be had.
func (t *transaction) state(ctx context.Context, ld *load) string {
	ctx, cancel := t.deadline(ctx, 1)
	defer cancel()
	result := t.conn.ExecParams(ctx, stateSQL, [][]byte{strconv.AppendUint(nil, uint64(ld.table.OID), 10)}, nil, nil, nil).Read()
	if result.Err != nil || len(result.Rows) == 0 {
		return ""
	}
	return string(result.Rows[0][0])
}

// locateIn looks for the record among rows; it answers true where it is there.
// The stage that it is looked for in is the session's, for as long as the table's
// state is the same.
func (t *transaction) locateIn(ctx context.Context, r *sinkd.Rows, state string, e *sinkd.Error) bool {
	var like []*stage
	columns := "LIKE " + quote(r.Table.Schema, r.Table.Name) +
		" INCLUDING CONSTRAINTS INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING IDENTITY /* " + state + " */"
	if t.stage(ctx, &like, columns, false) != nil {
		return false
	}
	want, _ := errors.AsType[*pgconn.PgError](error(e))
	got, ok := errors.AsType[*pgconn.PgError](t.copyRows(ctx, r.Buf, copySQL(like[0].name, names(r.Columns, ""))))
	if !ok || got.Code != want.Code || got.ConstraintName != want.ConstraintName || got.ColumnName != want.ColumnName {
		return false
	}
	if line, _ := copyPlace(got.Where); line > 0 && line <= len(r.Row) {
		e.Record = t.batch.Record(r.Row[line-1])
	}
	return e.Record != nil
}

// whole tells that the columns are all that an insert checks.
func whole(t *sinkd.Table, columns []string) bool {
	return !slices.ContainsFunc(t.Columns, func(c sinkd.Column) bool { return !c.Generated && !slices.Contains(columns, c.Name) })
}
