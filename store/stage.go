package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// maxStages bounds the temporary tables of a session: beyond, it is renewed.
const maxStages = 24

// The columns that the store puts in front of a shared stage's own. No name of
// a target's column is likely to be one of them.
const (
	rangeColumn = `"sinkd:range"`
	listColumn  = `"sinkd:list"`
	placeColumn = `"sinkd:place"`
)

// stage is a temporary table of a lane's session, which is empty outside of
// transactions.
type stage struct {
	// name is qualified; columns are its columns as CREATE TABLE has them.
	name, columns string
	// sorted tells that it has an index on the list of columns.
	sorted bool
	// busy tells that the batch in work uses it.
	busy bool
}

// ensure makes sure of the stages that loads need. It stands outside of the
// batch's transaction, whose end they are to outlive, before anything is locked.
func (l *lane) ensure(ctx context.Context, b *sinkd.Batch, loads []*load) error {
	for _, s := range l.stages {
		s.busy = false
	}
	for _, ld := range loads {
		if ld.direct() {
			continue
		}
		var err error
		if ld.shape, err = l.shapeOf(ctx, ld.table); err == nil {
			ld.survey(b)
			err = l.stagesFor(ctx, ld)
		}
		if err != nil {
			e := Classify(err)
			e.Table, e.Topic = ld.table.String(), ld.topic(b)
			return e
		}
	}
	return nil
}

func (l *lane) stagesFor(ctx context.Context, ld *load) error {
	ld.stages, ld.folded = nil, nil
	if !ld.shared {
		for _, r := range ld.rows {
			if err := l.stage(ctx, &ld.stages, ld.define(r.Columns), false); err != nil {
				return err
			}
		}
		return nil
	}
	own := ld.define(ld.columns)
	err := l.stage(ctx, &ld.stages, sharedColumns("int4", own), len(ld.rows) > maxLists)
	if err == nil && ld.unfolded() {
		var folded []*stage
		if err = l.stage(ctx, &folded, sharedColumns("text", own), len(ld.rows) > maxLists); err == nil {
			ld.folded = folded[0]
		}
	}
	return err
}

// define gives the definitions of the stage's columns.
func (ld *load) define(columns []string) string {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(c) + " ")
		if ld.text[c] {
			b.WriteString("text")
		} else {
			b.WriteString(ld.shape.columns[c].staged)
		}
	}
	return b.String()
}

func sharedColumns(list, own string) string {
	return rangeColumn + " int4, " + listColumn + " " + list + ", " + placeColumn + " int4, " + own
}

// stage adds a free stage with the columns to stages, and makes it where the
// session has none.
func (l *lane) stage(ctx context.Context, stages *[]*stage, columns string, sorted bool) error {
	at := slices.IndexFunc(l.stages, func(s *stage) bool { return !s.busy && s.columns == columns && s.sorted == sorted })
	if at < 0 {
		s := &stage{name: "pg_temp.sinkd_" + strconv.Itoa(len(l.stages)), columns: columns, sorted: sorted}
		if err := l.create(ctx, s); err != nil {
			return err
		}
		at = len(l.stages)
		l.stages = append(l.stages, s)
	}
	l.stages[at].busy = true
	*stages = append(*stages, l.stages[at])
	return nil
}

func (l *lane) create(ctx context.Context, s *stage) error {
	ctx, cancel := l.deadline(ctx, 1)
	defer cancel()
	sql := "CREATE TEMPORARY TABLE " + s.name + " (" + s.columns + ") ON COMMIT DELETE ROWS;"
	if s.sorted {
		sql += "CREATE INDEX ON " + s.name + " (" + listColumn + ");"
	}
	_, err := l.conn.Exec(ctx, sql).ReadAll()
	e := Classify(err)
	if e == nil {
		return nil
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == insufficientPrivilege {
		if config, err := l.store.parse(); err == nil {
			e.Hint = fmt.Sprintf("GRANT TEMPORARY ON DATABASE %s TO %s;", quote(config.Database), quote(config.User))
		}
	}
	return e
}
