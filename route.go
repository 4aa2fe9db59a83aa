package sinkd

import (
	"regexp"
	"slices"
	"strings"
)

// Mode is how rows enter a table.
type Mode string

// The write modes.
const (
	Append Mode = "append"
	Upsert Mode = "upsert"
	Ignore Mode = "ignore"
)

// Deletes is what a tombstone or a delete event does in upsert mode.
type Deletes string

// What deletes may do.
const (
	// Remove the row.
	Remove Deletes = "true"
	// Soft sets the route's deleted column, a boolean or a timestamptz.
	Soft Deletes = "soft"
	// Keep ignores them.
	Keep Deletes = "false"
)

// Unknown is what becomes of a field of a record that no column takes.
type Unknown string

// What unknown fields may get.
const (
	IgnoreFields Unknown = "ignore"
	RefuseFields Unknown = "dead-letter"
	AddColumns   Unknown = "add-column"
)

// Route is topic -> table with a write mode and a key. It is complete in
// itself: globals were resolved into it before anything else sees it.
type Route struct {
	// Topics are literal names; Pattern, where set, matches whole names
	// instead.
	Topics  []string
	Pattern *regexp.Regexp
	// Schema and Name are the table's; Name may hold {topic}.
	Schema, Name string
	Mode         Mode
	// Key are the key's columns; empty = the table's primary key.
	Key []string
	// Deletes says what a tombstone does; empty = Remove in upsert mode, else
	// nothing. DeletedColumn is what Soft sets.
	Deletes       Deletes
	DeletedColumn string
	// Version is the column that tells which of two rows of a key is newer:
	// an upsert only applies when its version is not older. Empty = the order
	// of the log.
	Version string
	// Columns override where a column's value comes from.
	Columns []Mapping
	// Unknown says what becomes of fields that no column takes; empty =
	// IgnoreFields.
	Unknown Unknown
	// Create tells whether a missing table is made.
	Create bool
	// Format and KeyFormat are the serializations of value and key.
	Format, KeyFormat string
	// EpochUnit is the unit of numbers that go into time columns: s, ms, us, ns.
	EpochUnit string
	// StripNUL removes NUL characters from text in place of refusing them.
	StripNUL bool
}

// Mapping is one entry of SINKD_COLUMNS: a column and the source of its
// value, a path into the record's value (address.city) or an @ source.
type Mapping struct {
	Column, Source string
}

// Match tells whether the route takes the topic.
func (r *Route) Match(topic string) bool {
	if r.Pattern != nil {
		m := r.Pattern.FindStringIndex(topic)
		return m != nil && m[0] == 0 && m[1] == len(topic)
	}
	return slices.Contains(r.Topics, topic)
}

// Table gives the name of the table that the topic's rows go to.
func (r *Route) Table(topic string) (schema, name string) {
	return r.Schema, strings.ReplaceAll(r.Name, "{topic}", topic)
}

// RouteOf gives the first route that takes the topic, nil if none does.
func RouteOf(routes []*Route, topic string) *Route {
	for _, r := range routes {
		if r.Match(topic) {
			return r
		}
	}
	return nil
}
