package store

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// SQLSTATEs that are told from the others of their class.
const (
	protocolViolation     = "08P01"
	readOnlyTransaction   = "25006"
	idleInTransaction     = "25P03"
	transactionTimeout    = "25P04"
	foreignKeyViolation   = "23503"
	checkViolation        = "23514"
	insufficientPrivilege = "42501"
	undefinedTable        = "42P01"
	invalidSchemaName     = "3F000"
	outOfMemory           = "53200"
	programLimitExceeded  = "54000"
	deadlockDetected      = "40P01"
	lockNotAvailable      = "55P03"
	queryCanceled         = "57014"
	// raised is the class of what functions raise by themselves.
	raised = "P0"
)

// own marks an error of a statement on the bookkeeping tables: what it refuses
// is never the fault of a record.
type own struct {
	error
	hint string
}

// Unwrap gives the cause.
func (o *own) Unwrap() error { return o.error }

// Classify is the error table: what a lane does about an error, by its
// SQLSTATE alone. An error that is classified already is returned as it is,
// and nil for nil. What is neither Postgres's nor classified is a lost
// connection, or a context that ended.
func Classify(err error) *sinkd.Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sinkd.Error](err); ok {
		return e
	}
	e := &sinkd.Error{Class: sinkd.Transient, Err: err}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return e
	}
	e.SQLState = pg.Code
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting {
		return e // a wrong password too: nothing was asked yet that could be refused
	}
	bookkeeping, isOwn := errors.AsType[*own](err)
	e.Err = &refusal{pg: pg}
	if pg.TableName != "" {
		e.Table = pg.SchemaName + "." + pg.TableName
	}
	e.Class = classOf(pg, isOwn)
	e.Split = splits(pg.Code)
	e.Wait = e.Class == sinkd.Data && pg.Code == foreignKeyViolation
	if e.Class == sinkd.Configuration {
		e.Kind = sinkd.Refused
	}
	e.Hint = hintOf(pg)
	if isOwn && e.Class == sinkd.Configuration {
		e.Hint = bookkeeping.hint
	}
	return e
}

// hintOf says what can be done where the code alone tells.
func hintOf(pg *pgconn.PgError) string {
	switch {
	case pg.Code == checkViolation && pg.ConstraintName == "":
		return "make the partition that the row belongs to, or a DEFAULT partition"
	case pg.Code == queryCanceled:
		return "raise SINKD_STATEMENT_TIMEOUT, or find out what takes so long (a trigger, a foreign key without an index)"
	case pg.Code == outOfMemory:
		return "the server needs more memory, or triggers and indexes that take less"
	}
	return ""
}

// classOf is the table itself: the first row that matches.
func classOf(pg *pgconn.PgError, own bool) sinkd.Class {
	class := pg.Code[:min(2, len(pg.Code))]
	switch {
	case splits(pg.Code), passes(class, pg.Code):
		return sinkd.Transient
	case own, pg.Code == checkViolation && pg.ConstraintName == "":
		return sinkd.Configuration
	case class == "22", class == "23", class == "44", pg.Code == programLimitExceeded,
		pg.Code >= "P0001" && pg.Code <= "P0004":
		return sinkd.Data
	case class == "42", class == "3F", class == "0A":
		return sinkd.Schema
	}
	return sinkd.Configuration
}

// passes tells of conditions that go away without anybody changing anything.
func passes(class, code string) bool {
	switch class {
	case "08", "40", "53", "55", "58", "XX":
		return true
	}
	switch code {
	case readOnlyTransaction, idleInTransaction, transactionTimeout:
		return true
	}
	return strings.HasPrefix(code, "57P0")
}

// splits tells of conditions that a smaller batch may not meet.
func splits(code string) bool { return code == queryCanceled || code == outOfMemory }

// classifyOwn classifies the error of a statement on bookkeeping tables.
func (s *Store) classifyOwn(err error) *sinkd.Error {
	return Classify(&own{error: err, hint: s.hintOwn(err)})
}

// classify classifies the error of a statement on users' tables, whose
// triggers and constraints may yet have met a bookkeeping table.
func (s *Store) classify(err error) *sinkd.Error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && !s.cfg.Idempotent && pg.SchemaName == s.cfg.Schema {
		return s.classifyOwn(err)
	}
	return Classify(err)
}

// hintOwn says how the bookkeeping is mended.
func (s *Store) hintOwn(err error) string {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return ""
	}
	switch pg.Code {
	case undefinedTable, invalidSchemaName:
		return "run `sinkd migrate up`"
	case insufficientPrivilege:
		role := pgx.Identifier{s.user()}.Sanitize()
		return "GRANT USAGE ON SCHEMA " + s.schema + " TO " + role +
			"; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + s.schema + " TO " + role + ";"
	}
	return ""
}

// user gives the role that the URL names.
func (s *Store) user() string {
	config, err := s.parse()
	if err != nil {
		return ""
	}
	return config.User
}
