package migrations

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// session is the direct connection that migrations run beside: it reads the
// version, and holds the lock that lets one process at a time repair and
// migrate.
type session struct {
	config *pgx.ConnConfig
	conn   *pgx.Conn
	schema string
}

func open(ctx context.Context, url, schema string) (*session, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// The parser's message may quote a part of the password.
		return nil, errors.New("the database URL does not parse")
	}
	config.RuntimeParams["application_name"] = "sinkd/migrate"
	// The database's own encoding may be another, and the role's settings may
	// change how strings are read.
	config.RuntimeParams["client_encoding"] = "UTF8"
	config.RuntimeParams["standard_conforming_strings"] = "on"
	// One round trip for the one plain query of the fast path.
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return &session{config: config, conn: conn, schema: schema}, nil
}

func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = s.conn.Close(ctx)
}

// version reads what is applied; the zero Version where there is nothing yet.
func (s *session) version(ctx context.Context) (Version, error) {
	v := Version{Latest: Latest()}
	schema := pgx.Identifier{s.schema}.Sanitize()
	err := s.conn.QueryRow(ctx, `SELECT m.version, m.dirty, coalesce(c.min_schema, 0), coalesce(c.min_binary, '')
		FROM `+schema+`.schema_migrations m LEFT JOIN `+schema+`.compatibility c ON true`).
		Scan(&v.Current, &v.Dirty, &v.MinSchema, &v.MinBinary)
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		return v, nil
	}
	there, findErr := s.there(ctx)
	switch {
	case findErr != nil:
		return v, fmt.Errorf("migrations: %w", findErr)
	case !there:
		return v, nil
	case sqlState(err) == undefinedTable:
		return s.versionAlone(ctx)
	}
	return v, explain(err, "read the bookkeeping tables", serviceGrants(s.schema, s.role(ctx))...)
}

// there tells whether golang-migrate's table is there, which needs no right on
// it.
func (s *session) there(ctx context.Context) (there bool, err error) {
	err = s.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = 'schema_migrations')`, s.schema).Scan(&there)
	return there, err
}

// usable reads the version and refuses to go on where this binary is too old.
func (s *session) usable(ctx context.Context) (Version, error) {
	v, err := s.version(ctx)
	if err == nil && v.MinSchema > v.Latest {
		err = &TooOldError{Knows: v.Latest, Needs: v.MinSchema, Binary: v.MinBinary}
	}
	return v, err
}

// versionAlone reads the version where the first migration was cut off, and
// there is no other table yet.
func (s *session) versionAlone(ctx context.Context) (Version, error) {
	v := Version{Latest: Latest()}
	err := s.conn.QueryRow(ctx, `SELECT version, dirty FROM `+pgx.Identifier{s.schema, "schema_migrations"}.Sanitize()).
		Scan(&v.Current, &v.Dirty)
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		return v, nil
	}
	return v, explain(err, "read the bookkeeping tables", serviceGrants(s.schema, s.role(ctx))...)
}

// lock waits for the other processes that migrate this schema, for as long as
// it takes: no timeout of ours or of the role's applies. The lock ends with
// the session.
func (s *session) lock(ctx context.Context) error {
	_, err := s.conn.Exec(ctx, `SET lock_timeout = 0; SET statement_timeout = 0; SET idle_session_timeout = 0`)
	if err == nil {
		_, err = s.conn.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended('sinkd migrations ' || $1, 0))`, s.schema)
	}
	if err != nil {
		return fmt.Errorf("migrations: lock: %w", err)
	}
	return nil
}

// makeSchema creates the schema where it is missing; the right to do so is not
// needed where it is there.
func (s *session) makeSchema(ctx context.Context) error {
	var there bool
	err := s.conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, s.schema).Scan(&there)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if there {
		return nil
	}
	quoted := pgx.Identifier{s.schema}.Sanitize()
	if _, err = s.conn.Exec(ctx, `CREATE SCHEMA `+quoted); err != nil {
		role := s.role(ctx)
		return explain(err, "create the schema "+s.schema, fmt.Sprintf("CREATE SCHEMA %s AUTHORIZATION %s;", quoted, role))
	}
	return nil
}

// role gives the name of the session's role, quoted.
func (s *session) role(ctx context.Context) string {
	var name string
	if err := s.conn.QueryRow(ctx, `SELECT current_user`).Scan(&name); err != nil {
		name = s.config.User
	}
	return pgx.Identifier{name}.Sanitize()
}
