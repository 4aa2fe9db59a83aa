package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// maxSpare bounds the buffer that is kept for streams that are written anew.
const maxSpare = 32 << 20

// What a table answers that has a key already, that wants a value, and that does
// not know a statement.
const (
	uniqueViolation     = "23505"
	notNullViolation    = "23502"
	featureNotSupported = "0A000"
)

// copy writes the encoded rows into their tables or stages.
func (t *transaction) copy(ctx context.Context) error {
	start := time.Now()
	for _, ld := range t.loads {
		if err := t.copyLoad(ctx, ld); err != nil {
			return err
		}
	}
	t.batch.Timing.Copy = time.Since(start)
	return nil
}

func (t *transaction) copyLoad(ctx context.Context, ld *load) error {
	if ld.shape != nil && ld.shared {
		t.spare = ld.stream(t.spare[:0])
		columns := rangeColumn + ", " + listColumn + ", " + placeColumn + ", " + names(ld.columns, "")
		err := t.copyRows(ctx, t.spare, copySQL(ld.stages[0].name, columns))
		if cap(t.spare) > maxSpare {
			t.spare = nil
		}
		return t.explain(err, ld, ld.rows)
	}
	for i, r := range ld.rows {
		into := quote(ld.table.Schema, ld.table.Name)
		if ld.shape != nil {
			into = ld.stages[i].name
		}
		err := t.copyRows(ctx, r.Buf, copySQL(into, names(r.Columns, "")))
		if err != nil && ld.eager && ld.heldBy(err) {
			t.held = ld
		}
		if err := t.explain(err, ld, ld.rows[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// heldBy tells that the error may mean that the table has a key already: a
// merge finds that before it looks at what rows lack.
func (ld *load) heldBy(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	return pg.Code == uniqueViolation || (pg.Code == notNullViolation || pg.Code == checkViolation) && ld.partial()
}

func (l *lane) copyRows(ctx context.Context, stream []byte, sql string) error {
	ctx, cancel := l.deadline(ctx, 1)
	defer cancel()
	return copyFrom(ctx, l.conn, stream, sql)
}

func copySQL(into, columns string) string {
	return "COPY " + into + " (" + columns + ") FROM STDIN (FORMAT binary)"
}

// explain classifies the refusal of a load's rows, and names table, topic and
// the record that COPY names among those of its stream.
func (t *transaction) explain(err error, ld *load, stream []*sinkd.Rows) error {
	if err == nil {
		return nil
	}
	e := t.store.classify(err)
	if e.Class == sinkd.Transient {
		return e
	}
	e.Table, e.Topic = ld.table.String(), ld.topic(t.batch)
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return e
	}
	e.Err = &refusal{pg: pg, table: ld.table}
	e.Certain = e.Class == sinkd.Data && ld.appends() && certain(pg, ld.table)
	line, _ := copyPlace(pg.Where)
	for _, r := range stream {
		if line > 0 && line <= len(r.Row) {
			e.Record = t.batch.Record(r.Row[line-1])
		}
		line -= len(r.Row)
	}
	if pg.Code == insufficientPrivilege {
		e.Hint = grant(ld.table, rights(ld.route), t.store.user())
		if ld.table.Staged {
			e.Hint += " -- or, where a policy of row-level security refuses the row, change the policy"
		}
	}
	return e
}

// certain tells of refusals that are about the row alone: a value or a check, in
// a table that no trigger changes rows of, and without a function on the way.
// What a unique index refuses depends on the rows around.
func certain(pg *pgconn.PgError, t *sinkd.Table) bool {
	if t.Triggers || strings.Contains(pg.Where, "\n") {
		return false
	}
	if pg.Code == notNullViolation && !slices.ContainsFunc(t.Columns, func(c sinkd.Column) bool { return c.Name == pg.ColumnName }) {
		return false // the column is new
	}
	return strings.HasPrefix(pg.Code, dataException) || pg.Code == notNullViolation || pg.Code == checkViolation
}

// topic gives the topic of the rows, empty where they are of several.
func (ld *load) topic(b *sinkd.Batch) string {
	topic := ""
	for _, r := range ld.rows {
		for _, row := range r.Row {
			of := b.Ranges[row.Range].Claim.Topic
			if topic != "" && of != topic {
				return ""
			}
			topic = of
		}
	}
	return topic
}
