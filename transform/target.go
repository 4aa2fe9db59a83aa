package transform

import (
	"slices"

	"github.com/sinkd/sinkd"
)

// target is a table that rows enter in one mode, from however many topics.
type target struct {
	table *sinkd.Table
	// route is the first that led here; what its rows do to the table, all
	// others that lead here say the same.
	route *sinkd.Route
	// columns are those that can be written, in the order of tuples: the key's
	// first, the version next. Of where their values come from they say nothing:
	// each plan has its own.
	columns []column
	// groups are those of rows that enter the table, which batches had so far,
	// open those of them that got rows in the batch in work.
	groups []*group
	open   []*group
	// byLacks finds a group's number by the columns that it lacks.
	byLacks map[string]int32
	// gone are the keys of tombstones, nil where the mode has no use for them.
	gone *group
	// keys is the number of the key's columns, 0 where the mode has no key.
	keys int
	// shapes are the key's columns as sorting sees them; nil where bytes do not
	// decide whether two keys are equal.
	shapes []shape
	// newer compares versions; nil where the order of the log decides.
	newer compareFunc
	fold  fold
	// inexact tells that the batch in work cannot be folded: see overlay.
	inexact bool
	// used tells that the target has rows in the batch in work.
	used bool
}

// folds tells whether rows of one key become one row.
func (t *target) folds() bool { return t.shapes != nil && !t.inexact }

// target gives the target of a plan's rows, shared by all topics whose rows do
// the same to the same table.
func (e *Encoder) target(t *sinkd.Table, c *compiler) *target {
	for _, known := range e.targets {
		if known.takes(t, c.route) {
			return known
		}
	}
	made := c.target()
	e.targets = append(e.targets, made)
	return made
}

// takes tells whether rows of the route and the table are the target's.
func (t *target) takes(table *sinkd.Table, r *sinkd.Route) bool {
	k, own := t.table, t.route
	return k.OID == table.OID && k.Schema == table.Schema && k.Name == table.Name && k.Staged == table.Staged &&
		slices.Equal(k.Columns, table.Columns) && slices.Equal(k.Key, table.Key) &&
		own.Mode == r.Mode && own.Deletes == r.Deletes && own.DeletedColumn == r.DeletedColumn && own.Version == r.Version
}

// prune drops the targets that no plan leads to any more.
func (e *Encoder) prune() {
	e.targets = slices.DeleteFunc(e.targets, func(t *target) bool {
		for _, p := range e.plans {
			if p.target == t {
				return false
			}
		}
		return true
	})
}

// group finds or makes the group of rows that lack the columns.
func (t *target) group(lacks set) *group {
	if n, ok := t.byLacks[lacks.key()]; ok {
		return t.groups[n]
	}
	g := newGroup(sinkd.Write, t.columns, lacks)
	g.number = int32(len(t.groups))
	t.groups = append(t.groups, g)
	t.byLacks[string(bytesOf(lacks.key()))] = g.number
	return g
}

// forget drops the groups, where data made too many of them to keep.
func (t *target) forget() {
	if len(t.groups) > maxGroups {
		t.groups = nil
		clear(t.byLacks)
	}
}
