package store

import (
	"context"
	"errors"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/internal/nearest"
)

// ErrNoTable is what an error of Table wraps where there is no such table.
var ErrNoTable = errors.New("it does not exist")

// missing tells that there is no such table, and which ones have a name close
// to it.
func missing(ctx context.Context, conn *pgx.Conn, r *sinkd.Route, t *sinkd.Table) error {
	rows, err := conn.Query(ctx, `
		SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		 WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
		   AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
		 ORDER BY 1 LIMIT 10000`)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	fix := "create it, or set SINKD_CREATE_TABLE=always"
	if r.Mode == sinkd.Upsert || r.Mode == sinkd.Ignore {
		fix = "create it, with a unique index on the key: a table that sinkd makes has none"
	}
	if near := namesLike(t, names); len(near) > 0 {
		fix = "did you mean " + strings.Join(near, " or ") + "? Else " + fix
	}
	return misfitErr(t, ErrNoTable, fix)
}

// namesLike gives at most three of names that the table's was probably meant
// to be: the same name in another schema, or one that differs by a few letters.
func namesLike(t *sinkd.Table, names []string) []string {
	var like, others []string
	for _, name := range names {
		if _, bare, _ := strings.Cut(name, "."); strings.EqualFold(bare, t.Name) {
			like = append(like, name)
		} else {
			others = append(others, name)
		}
	}
	like = append(nearest.Of(t.String(), like, math.MaxInt), nearest.Of(t.String(), others, 1+len(t.Name)/3)...)
	return like[:min(3, len(like))]
}
