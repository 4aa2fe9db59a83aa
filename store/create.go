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
	ddl := s.landingSQL(t)
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
		return s.record(ctx, tx, t, &change{topic: topic, action: "create", ddl: ddl})
	})
	if err != nil {
		return err
	}
	s.cfg.Metrics.schemaChanges.WithLabelValues(t.String(), "create").Inc()
	return nil
}

// Creatable tells what would keep Table from creating the topic's table, nil
// if nothing would. It changes nothing.
func (s *Store) Creatable(ctx context.Context, r *sinkd.Route, topic string) error {
	t := &sinkd.Table{}
	t.Schema, t.Name = r.Table(topic)
	return s.watch.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var schema, right bool
		err := conn.QueryRow(ctx, `
			SELECT count(*) > 0, coalesce(bool_and(has_schema_privilege(oid, 'USAGE') AND has_schema_privilege(oid, 'CREATE')), false)
			  FROM pg_namespace WHERE nspname = $1`, t.Schema).Scan(&schema, &right)
		switch {
		case err != nil:
			return err
		case !schema:
			return noSchema(t)
		case !right:
			return s.noRight(t)
		}
		return nil
	})
}

func noSchema(t *sinkd.Table) error {
	return misfit(t, "it does not exist, and neither does its schema", fmt.Sprintf("CREATE SCHEMA %s;", quote(t.Schema)))
}

func (s *Store) noRight(t *sinkd.Table) error {
	return misfit(t, "it does not exist, and there is no right to create it",
		fmt.Sprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s; or create it: %s;", quote(t.Schema), quote(s.user()), s.landingSQL(t)))
}

// landingSQL makes the landing table. Where a record may be written again, its
// coordinates are the key by which that is seen.
func (s *Store) landingSQL(t *sinkd.Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s", quote(t.Schema, t.Name))
	sep := " ("
	for _, c := range sinkd.Landing() {
		fmt.Fprintf(&b, "%s%s %s", sep, quote(c.Name), c.TypeName)
		sep = ", "
	}
	if s.cfg.Idempotent {
		b.WriteString(", PRIMARY KEY (" + names(sinkd.LandingKey(), "") + ")")
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
		return noSchema(t)
	case insufficientPrivilege:
		return s.noRight(t)
	}
	return err
}
