package migrations

import (
	"errors"
	"fmt"
	"strings"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TooOldError tells that the database's bookkeeping was made for a newer
// binary, which no longer lets this one use it.
type TooOldError struct {
	// Knows is the schema version that this binary knows, Needs the oldest one
	// that a binary must know.
	Knows, Needs int64
	// Binary is the oldest release that may be used.
	Binary string
}

// Error names the oldest release that may be used.
func (e *TooOldError) Error() string {
	return fmt.Sprintf("this binary is too old for the database: it knows bookkeeping version %d, the database needs %d; use sinkd %s or later",
		e.Knows, e.Needs, e.Binary)
}

// RightsError tells which rights are missing.
type RightsError struct {
	// Doing is what was refused.
	Doing string
	// Grants are the statements that mend it.
	Grants []string
	Err    error
}

// Error prints the grants.
func (e *RightsError) Error() string {
	return fmt.Sprintf("no right to %s; let an owner run: %s (or let a DBA apply the output of `sinkd migrate up --print`)",
		e.Doing, strings.Join(e.Grants, " "))
}

// Unwrap gives Postgres's error.
func (e *RightsError) Unwrap() error { return e.Err }

const (
	insufficientPrivilege = "42501"
	undefinedTable        = "42P01"
)

// sqlState gives Postgres's code of err, empty if it is not Postgres's.
func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// explain turns a refusal for a missing right into the grants that mend it.
func explain(err error, doing string, grants ...string) error {
	if sqlState(err) == insufficientPrivilege {
		return &RightsError{Doing: doing, Grants: grants, Err: err}
	}
	return fmt.Errorf("migrations: %s: %w", doing, err)
}

// plain gives the cause of golang-migrate's error, which hides it from
// errors.As and repeats the whole migration in its text.
func plain(err error) error {
	var value database.Error
	if errors.As(err, &value) {
		return value.OrigErr
	}
	var pointer *database.Error
	if errors.As(err, &pointer) {
		return pointer.OrigErr
	}
	return err
}

// serviceGrants are the rights that the service itself needs.
func serviceGrants(schema, role string) []string {
	s := pgx.Identifier{schema}.Sanitize()
	return []string{
		fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", s, role),
		fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %s;", s, role),
	}
}
