package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// alterPatience is how long columns wait for their table at most: whoever comes
// after them waits as well.
const alterPatience = 3 * time.Second

// tooManyColumns is what a table answers that has no room for another column.
const tooManyColumns = "54011"

// Extend adds columns to the topic's table, those apart that it has by now,
// whatever their type, and records it. Replicas do so one after the other: of
// two that want a column of unlike types the first one has its way. A table
// that is in use for longer is a Transient error; one that cannot be changed is
// a Configuration error that says how to mend it.
func (s *Store) Extend(ctx context.Context, r *sinkd.Route, topic string, columns []sinkd.NewColumn) error {
	t := &sinkd.Table{}
	t.Schema, t.Name = r.Table(topic)
	err := s.watch.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return s.extend(ctx, conn, t, &change{topic: topic, action: "add-column"}, columns)
	})
	if err != nil {
		e := Classify(err)
		e.Table, e.Topic = t.String(), topic
		return e
	}
	return nil
}

// Extendable tells what would keep Extend from adding columns to the topic's
// table, nil if nothing would. It changes nothing.
func (s *Store) Extendable(ctx context.Context, r *sinkd.Route, topic string) error {
	t := &sinkd.Table{}
	t.Schema, t.Name = r.Table(topic)
	return s.watch.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		owner, err := readAlterable(ctx, tx, t)
		if err != nil {
			return err
		}
		var may bool
		if err := tx.QueryRow(ctx, `SELECT pg_has_role($1::name, 'USAGE')`, owner).Scan(&may); err != nil || may {
			return err
		}
		return s.notOwner(t, owner)
	})
}

// notOwner is the error of a table that the role may not change.
func (s *Store) notOwner(t *sinkd.Table, owner string) *sinkd.Error {
	role := quote(s.user())
	return misfit(t, "only its owner may add the columns that records have fields for",
		fmt.Sprintf("GRANT %s TO %s; or ALTER TABLE %s OWNER TO %s;", quote(owner), role, quote(t.Schema, t.Name), role))
}

func (s *Store) extend(ctx context.Context, conn *pgx.Conn, t *sinkd.Table, c *change, columns []sinkd.NewColumn) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		patience := min(alterPatience, s.cfg.LockTimeout).Milliseconds()
		if _, err := tx.Exec(ctx, fmt.Sprintf(`SET LOCAL lock_timeout = %d`, patience)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('sinkd alter ' || $1, 0))`, t.String())
		if err != nil {
			return err
		}
		owner, err := readAlterable(ctx, tx, t)
		if err != nil {
			return err
		}
		if columns = lacking(t, columns); len(columns) == 0 {
			return nil
		}
		c.ddl = extendSQL(t, columns)
		if _, err := tx.Exec(ctx, c.ddl); err != nil {
			return s.explainExtend(err, t, owner, c.ddl)
		}
		return s.record(ctx, tx, t, c)
	})
	if err != nil || c.ddl == "" {
		return err
	}
	s.cfg.Metrics.schemaChanges.WithLabelValues(t.String(), c.action).Inc()
	s.cfg.Logger.Info("columns added", slog.String("table", t.String()), slog.Int("columns", len(columns)))
	return nil
}

// readAlterable reads the table's owner and the names of its columns, and
// refuses what has no columns of its own.
func readAlterable(ctx context.Context, tx pgx.Tx, t *sinkd.Table) (owner string, err error) {
	var kind string
	var partition bool
	var names []string
	err = tx.QueryRow(ctx, `
		SELECT c.relkind::text, c.relispartition, pg_get_userbyid(c.relowner)::text,
		       ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)
		  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		 WHERE n.nspname = $1 AND c.relname = $2`, t.Schema, t.Name).Scan(&kind, &partition, &owner, &names)
	for _, name := range names {
		t.Columns = append(t.Columns, sinkd.Column{Name: name})
	}
	const otherwise = ", or set SINKD_UNKNOWN_FIELDS to ignore or dead-letter"
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", misfit(t, ErrNoTable.Error(), "create it")
	case err != nil:
		return "", err
	case kind == "v":
		return "", misfit(t, "it is a view, and columns for new fields cannot be added to one",
			"add them to the table behind it, and to the view"+otherwise)
	case partition:
		return "", misfit(t, "it is a partition, and columns for new fields are added to its parent",
			"write to the parent, or add them there"+otherwise)
	}
	return owner, nil
}

// lacking gives those of columns that the table does not have.
func lacking(t *sinkd.Table, columns []sinkd.NewColumn) []sinkd.NewColumn {
	return slices.DeleteFunc(slices.Clone(columns), func(n sinkd.NewColumn) bool {
		return slices.ContainsFunc(t.Columns, func(c sinkd.Column) bool { return c.Name == n.Name })
	})
}

func extendSQL(t *sinkd.Table, columns []sinkd.NewColumn) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = "ADD COLUMN IF NOT EXISTS " + quote(c.Name) + " " + c.Type
	}
	return "ALTER TABLE " + quote(t.Schema, t.Name) + " " + strings.Join(parts, ", ")
}

// explainExtend says what keeps the columns from being added. What does not
// pass by itself needs a person, whatever its class: no record is to blame.
func (s *Store) explainExtend(err error, t *sinkd.Table, owner, ddl string) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || Classify(err).Class == sinkd.Transient {
		return err
	}
	switch pg.Code {
	case insufficientPrivilege:
		e := s.notOwner(t, owner)
		e.Hint += " or add them: " + ddl + ";"
		return e
	case tooManyColumns:
		return misfit(t, "there is no room for columns for new fields: a table has at most 1600, dropped ones included",
			"set SINKD_UNKNOWN_FIELDS to ignore or dead-letter, or make the table anew without the dropped columns")
	}
	return misfitErr(t, fmt.Errorf("columns cannot be added: %w", &refusal{pg: pg}), "add them: "+ddl+";")
}
