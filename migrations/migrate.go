package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/golang-migrate/migrate/v4"
	driver "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Version tells which version of the bookkeeping schema a database has.
type Version struct {
	// Current is the version that is applied, 0 for none; Dirty that applying
	// it was cut off.
	Current int64
	Dirty   bool
	// Latest is the newest version that this binary knows.
	Latest int64
	// MinSchema is the oldest Latest that a binary must have to use the
	// database, MinBinary the release that brought it.
	MinSchema int64
	MinBinary string
}

// settled tells that there is nothing to do for this binary: all it knows is
// applied. Newer versions are none of its business, not even dirty ones: each
// is one transaction, so one that was cut off did nothing.
func (v Version) settled() bool {
	return v.Current > v.Latest || v.Current == v.Latest && !v.Dirty
}

// Up brings the schema to the newest version, and creates it where it is
// missing. Where nothing is to be done that costs one connection and one
// query. Errors: *TooOldError, *RightsError, or what Postgres said.
func Up(ctx context.Context, url, schema string) error {
	s, err := open(ctx, url, schema)
	if err != nil {
		return err
	}
	defer s.close()
	v, err := s.usable(ctx)
	if err != nil || v.settled() {
		return err
	}
	return s.up(ctx)
}

// up migrates under the lock, after reading the version again: another process
// may have done it all in the meantime.
func (s *session) up(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	if err := s.makeSchema(ctx); err != nil {
		return err
	}
	v, err := s.usable(ctx)
	if err != nil || v.settled() {
		return err
	}
	return s.migrate(ctx, func(m *migrate.Migrate) error {
		if v.Dirty {
			if err := m.Force(before(v.Current)); err != nil {
				return err
			}
		}
		return m.Up()
	})
}

// Down removes all bookkeeping tables of the schema, in which nothing of the
// pipelines' progress is left then; the schema itself stays.
func Down(ctx context.Context, url, schema string) error {
	s, err := open(ctx, url, schema)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.lock(ctx); err != nil {
		return err
	}
	v, err := s.version(ctx)
	if err != nil || v.Current == 0 {
		return err
	}
	if v.Current > v.Latest {
		return &TooOldError{Knows: v.Latest, Needs: v.Current, Binary: v.MinBinary}
	}
	return s.migrate(ctx, func(m *migrate.Migrate) error {
		if v.Dirty {
			if err := m.Force(int(v.Current)); err != nil {
				return err
			}
		}
		return m.Down()
	})
}

// Status reads which version the database has.
func Status(ctx context.Context, url, schema string) (Version, error) {
	s, err := open(ctx, url, schema)
	if err != nil {
		return Version{}, err
	}
	defer s.close()
	return s.version(ctx)
}

// migrate runs golang-migrate on a connection of its own, whose search_path is
// the schema alone: that is where it keeps its version, and where the
// migrations' unqualified names lead.
func (s *session) migrate(ctx context.Context, f func(*migrate.Migrate) error) error {
	path := pgx.Identifier{s.schema}.Sanitize()
	db := stdlib.OpenDB(*s.config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SET search_path = `+path+`; SET lock_timeout = 0; SET statement_timeout = 0; SET client_min_messages = warning`)
		return err
	}))
	defer func() { _ = db.Close() }()
	// golang-migrate knows no contexts: closing its pool ends what it does.
	stop := context.AfterFunc(ctx, func() { _ = db.Close() })
	defer stop()
	m, err := instance(db, s.schema)
	if err == nil {
		err = f(m)
		sourceErr, _ := m.Close()
		err = errors.Join(err, sourceErr)
	}
	if err == nil || errors.Is(err, migrate.ErrNoChange) {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	role := s.role(ctx)
	return explain(plain(err), "create the bookkeeping tables",
		fmt.Sprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s;", path, role))
}

// instance binds golang-migrate to the database and the embedded files.
func instance(db *sql.DB, schema string) (*migrate.Migrate, error) {
	target, err := driver.WithInstance(db, &driver.Config{SchemaName: schema})
	if err != nil {
		return nil, err
	}
	source, err := iofs.New(files, "sql")
	if err != nil {
		return nil, err
	}
	m, err := migrate.NewWithInstance("embedded", source, "postgres", target)
	if err != nil {
		return nil, err
	}
	m.LockTimeout = time.Duration(math.MaxInt64) // ours is held already
	return m, nil
}

// before gives the version before v as golang-migrate's Force wants it: -1 for
// none.
func before(v int64) int {
	last := int64(-1)
	for _, known := range versions() {
		if known < v {
			last = known
		}
	}
	return int(last)
}
