package integration_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strings"

	"github.com/sinkd/sinkd"
)

// foldModel is what a table has to hold after a log: its rows by key.
type foldModel struct {
	table *foldTable
	rows  map[string]foldRow
	// unread are the keys whose last record was too old.
	unread map[string]bool
}

// foldRow is a row as Postgres shows it, by column; what is not there is NULL.
type foldRow map[string]string

// outcome is what becomes of a record.
type outcome int

const (
	asRow outcome = iota
	asSkipped
	asDead
)

func newFoldModel(t *foldTable) *foldModel {
	return &foldModel{table: t, rows: make(map[string]foldRow), unread: make(map[string]bool)}
}

// apply lets one record take effect: the fold of the log, in its plainest form.
func (m *foldModel) apply(rec *foldRecord) outcome {
	if rec.poisoned != "" {
		return asDead
	}
	route := m.table.route
	value, key := decoded(rec.Value), m.keyFields(rec.Key)
	shown, id := m.table.key(value, key)
	row := m.rows[id]
	if rec.Value == nil {
		return m.gone(rec, id)
	}
	switch {
	case row != nil && route.Mode == sinkd.Ignore:
		return asSkipped
	case row != nil && m.table.version != "" && older(textOf(value["v"]), row["v"]):
		m.unread[id] = true
		return asSkipped
	case row == nil:
		row = foldRow{"n": "7", "b": "1.50"}
		for i, name := range m.table.keyColumns() {
			row[name] = shown[i]
		}
		m.rows[id] = row
	}
	delete(m.unread, id)
	row.lay(m.table, value)
	return asRow
}

// gone lets a tombstone take effect.
func (m *foldModel) gone(rec *foldRecord, id string) outcome {
	route := m.table.route
	if route.Mode == sinkd.Ignore || route.Deletes == sinkd.Keep {
		return asSkipped
	}
	delete(m.unread, id)
	row := m.rows[id]
	switch {
	case !m.table.soft():
		delete(m.rows, id)
	case row != nil && m.table.deleted == "boolean":
		row["gone"] = "true"
	case row != nil:
		row["gone"] = rec.Timestamp.UTC().Format("2006-01-02 15:04:05+00")
	}
	return asRow
}

// lay puts the fields that a record has over the row.
func (row foldRow) lay(t *foldTable, value map[string]any) {
	for _, name := range t.columns()[len(t.keys):] {
		switch v, ok := value[name]; {
		case name == "gone" && t.deleted == "boolean":
			row[name] = "false"
		case name == "gone", ok && v == nil:
			delete(row, name)
		case ok:
			row[name] = textOf(v)
		}
	}
}

// older compares versions.
func older(a, b string) bool {
	x, _ := new(big.Rat).SetString(a)
	y, _ := new(big.Rat).SetString(b)
	return x.Cmp(y) < 0
}

// keyFields gives a record's key by column.
func (m *foldModel) keyFields(key []byte) map[string]any {
	if bytes.HasPrefix(key, []byte("{")) {
		return decoded(key)
	}
	var scalar any
	d := json.NewDecoder(bytes.NewReader(key))
	d.UseNumber()
	if d.Decode(&scalar) != nil || d.More() {
		scalar = string(key)
	}
	return map[string]any{"k1": scalar}
}

// decoded gives the fields of a JSON object, none for a tombstone.
func decoded(object []byte) map[string]any {
	fields := make(map[string]any)
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	if len(object) > 0 && d.Decode(&fields) != nil {
		panic("not an object: " + string(object))
	}
	return fields
}

// lines gives the rows as lines in order.
func (m *foldModel) lines() []string {
	lines := make([]string, 0, len(m.rows))
	for _, row := range m.rows {
		var fields []string
		for _, name := range m.table.columns() {
			v, ok := row[name]
			if !ok {
				v = "NULL"
			}
			fields = append(fields, v)
		}
		lines = append(lines, strings.Join(fields, "|"))
	}
	slices.Sort(lines)
	return lines
}
