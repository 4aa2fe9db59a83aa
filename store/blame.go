package store

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// dataException is the class of values that do not fit a type.
const dataException = "22"

// blame finds the column whose text form a single record was refused for: the
// statement that casts them all does not say.
func (t *transaction) blame(ctx context.Context, err error) {
	e, ok := errors.AsType[*sinkd.Error](err)
	if !ok || e.Class != sinkd.Data || !strings.HasPrefix(e.SQLState, dataException) || t.batch.Records() != 1 || t.conn == nil {
		return
	}
	for _, ld := range t.loads {
		for _, r := range ld.rows {
			if ld.shape == nil || len(r.Text) == 0 || len(r.Row) != 1 {
				continue
			}
			if column := t.uncastable(ctx, ld, r); column != "" {
				blamed(e, column)
				return
			}
		}
	}
}

// uncastable gives the first column of the only row whose text form Postgres
// does not take.
func (t *transaction) uncastable(ctx context.Context, ld *load, r *sinkd.Rows) string {
	ctx, cancel := t.deadline(ctx, 1)
	defer cancel()
	tuple := r.Tuple(0)[2:]
	start := 0
	for i, end := range fields(nil, tuple) {
		null := int32(binary.BigEndian.Uint32(tuple[start:])) < 0
		value := tuple[start+4 : end]
		start = end
		if null || !r.Text[i] {
			continue
		}
		sql := "SELECT CAST($1::text AS " + ld.shape.columns[r.Columns[i]].cast + ") IS NULL"
		if err := t.conn.ExecParams(ctx, sql, [][]byte{value}, nil, nil, nil).Read().Err; err != nil {
			if _, refused := errors.AsType[*pgconn.PgError](err); refused {
				return r.Columns[i]
			}
			return ""
		}
	}
	return ""
}

// blamed lets the refusal name the column.
func blamed(e *sinkd.Error, column string) {
	if r, ok := errors.AsType[*refusal](e); ok {
		r.column = column
	}
}
