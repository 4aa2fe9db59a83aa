package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// create makes the landing table of a topic, and records it. Replicas that
// start at once do so one after the other, and the later ones do nothing:
// IF NOT EXISTS alone fails when two transactions create the table at once.
func (s *Store) create(ctx context.Context, conn *pgx.Conn, t *sinkd.Table, topic string) error {
	ddl := landingSQL(t)
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('sinkd create ' || $1, 0))`, t.String())
		if err != nil {
			return err
		}
		if _, err := readRelation(ctx, conn, t); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if _, err := tx.Exec(ctx, ddl); err != nil {
			return s.explainCreate(err, t)
		}
		_, err = tx.Exec(ctx, s.in(`INSERT INTO {s}.schema_changes (pipeline, topic, table_name, action, statement, writer)
			VALUES ($1, $2, $3, 'create', $4, $5)`), s.cfg.Pipeline, topic, t.String(), ddl, s.cfg.Writer)
		return err
	})
	if err != nil {
		return err
	}
	s.cfg.Metrics.schemaChanges.WithLabelValues(t.String(), "create").Inc()
	return nil
}

func landingSQL(t *sinkd.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s", quote(t.Schema, t.Name))
	sep := " ("
	for _, c := range sinkd.Landing() {
		fmt.Fprintf(&b, "%s%s %s", sep, quote(c.Name), c.TypeName)
		sep = ", "
	}
	b.WriteString(")")
	return b.String()
}

// explainCreate says what keeps the table from being created.
func (s *Store) explainCreate(err error, t *sinkd.Table) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	switch pg.Code {
	case invalidSchemaName:
		return misfit(t, "it does not exist, and neither does its schema", fmt.Sprintf("CREATE SCHEMA %s;", quote(t.Schema)))
	case insufficientPrivilege:
		return misfit(t, "it does not exist, and there is no right to create it",
			fmt.Sprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s; or create it: %s;", quote(t.Schema), quote(s.user()), landingSQL(t)))
	}
	return err
}
