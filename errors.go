package sinkd

import (
	"fmt"
	"strings"
)

// Class is what a lane does about an error.
type Class int

// The classes. Which condition has which is in docs/errors.md.
const (
	// Transient: wait and retry, without limit.
	Transient Class = iota
	// Fenced: the claims named in Error.Lost have ended; go on without them.
	Fenced
	// Data: Postgres refused the rows; split until one record is left, which
	// becomes a dead letter.
	Data
	// Schema: read the catalog and build the batch once more, then treat it as
	// Configuration.
	Schema
	// Configuration: a person is needed; the route halts with an incident.
	Configuration
)

// String names the class as metrics and logs do.
func (c Class) String() string {
	return [...]string{"transient", "fenced", "data", "schema", "configuration"}[c]
}

// Error is a classified failure of the store, with what a lane needs to act
// and a person needs to mend it. It never holds row data.
type Error struct {
	Class Class
	// Kind is the incident that a Configuration error opens.
	Kind string
	// Lost are the claims that have ended, for Fenced.
	Lost []*Claim
	// Topic limits the error to a topic's route; empty = the whole batch.
	Topic string
	// SQLState is Postgres's code, empty if the error is not Postgres's.
	SQLState string
	// Table is the table that Postgres or the catalog names.
	Table string
	// Record is the record that Postgres named, nil if it named none.
	Record *Record
	// Split tells, of a Transient error, that a smaller batch may not meet it:
	// a timeout, or memory. Where a single record still does, a person is
	// needed.
	Split bool
	// Wait tells, of a Data error, that the same rows may be taken a little
	// later: a row that a foreign key refers to may be on its way.
	Wait bool
	// Certain tells, of a Data error with a Record, that this record would be
	// refused alone as well, whatever stands around it.
	Certain bool
	// Dead are, of a Data error, dead letters of all records of the batch that
	// were found to be refused alone as well; none where that was not looked for.
	Dead []DeadLetter
	// Hint is what to do about it.
	Hint string
	Err  error
}

// Error gives message, table, SQLSTATE and hint on one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Class == Fenced {
		fmt.Fprintf(&b, "fenced: %d claims have ended", len(e.Lost))
	}
	if e.Err != nil {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	if e.SQLState != "" {
		fmt.Fprintf(&b, " (SQLSTATE %s)", e.SQLState)
	}
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Letter gives the dead letter of a record that Postgres refuses in this way.
func (e *Error) Letter(r *Record) DeadLetter {
	return DeadLetter{Record: r, Stage: "write", Reason: e.Err.Error(), SQLState: e.SQLState}
}

// Need is something that an encoder lacks to go on: the table of a topic, or
// columns of it.
type Need struct {
	Topic string
	// Columns are to be added to the topic's table before it is supplied anew;
	// none where only the table is unknown. Columns may be there by now: another
	// lane or replica may have added them.
	Columns []NewColumn
}

// NewColumn is a column to be added to a table.
type NewColumn struct {
	// Name is as the records have it, unquoted; Type is a Postgres type.
	Name, Type string
}
