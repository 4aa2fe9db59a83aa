package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
)

// The exit codes.
const (
	exitFine        = 0
	exitFailed      = 1 // failed, refused, or a finding
	exitUsage       = 2 // bad configuration or arguments
	exitUnreachable = 3 // not reachable within reach
)

// reach is how long commands try to reach Kafka and Postgres. run waits for
// ever.
const reach = 10 * time.Second

// errFound ends a command that has printed what it found; errRefused stands for
// what was not done because nobody confirmed it; errNoBooks for what works on
// tables that are not kept.
var (
	errFound   = errors.New("something was found")
	errRefused = errors.New("not done")
	errNoBooks = errors.New("not in this mode: SINKD_DELIVERY=idempotent keeps no tables")
)

// usageError is a mistake in configuration or arguments that only shows when
// they are used.
type usageError struct{ error }

// Unwrap gives the cause.
func (e usageError) Unwrap() error { return e.error }

// unreachableError tells that a dependency cannot be used from here.
type unreachableError struct{ error }

// Unwrap gives the cause.
func (e unreachableError) Unwrap() error { return e.error }

// exitCode gives the exit code that tells the error.
func exitCode(err error) int {
	var (
		problems    config.Problems
		usage       usageError
		unreachable unreachableError
		group       *store.GroupError
	)
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &problems), errors.As(err, &usage), errors.As(err, &group):
		return exitUsage
	case errors.As(err, &unreachable):
		return exitUnreachable
	}
	return exitFailed
}

// database explains an error of the database: what cannot be reached becomes
// an unreachableError with the fix.
func database(err error) error {
	if err == nil {
		return nil
	}
	e := store.Classify(err)
	switch {
	case strings.HasPrefix(e.SQLState, "28"):
		return unreachableError{hinted{err, "PostgreSQL refuses the login", "check user and password in SINKD_DATABASE_URL"}}
	case strings.HasPrefix(e.SQLState, "3D"):
		return unreachableError{hinted{err, "PostgreSQL has no such database", "create it, or mend SINKD_DATABASE_URL"}}
	case e.SQLState == "08P01":
		return unreachableError{hinted{err, "a pooler answers in PostgreSQL's place, and refuses", "check that it knows the user and the database, and leave out of SINKD_DATABASE_URL what it names as unsupported (or put that into its ignore_startup_parameters); better, connect to PostgreSQL itself"}}
	case e.Class == sinkd.Transient:
		return unreachableError{hinted{err, "PostgreSQL cannot be used", "check host and port in SINKD_DATABASE_URL, and whether the server runs"}}
	}
	return err
}

// hinted is an error with what it means and how to mend it.
type hinted struct {
	error
	what, fix string
}

// Error gives all three.
func (h hinted) Error() string { return h.what + ": " + oneLine(h.error.Error()) + "; " + h.fix }

// Unwrap gives the cause.
func (h hinted) Unwrap() error { return h.error }

// oneLine joins the lines of a text without what was said before: a driver that
// tries an address twice says the same twice.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		said := func(before string) bool { return strings.HasSuffix(before, line) }
		if !slices.ContainsFunc(lines, said) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// within gives a context that ends when the time for reaching is over.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, reach, errors.New("no answer within "+reach.String()))
}
