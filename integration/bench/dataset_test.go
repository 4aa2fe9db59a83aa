package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"
)

func TestRecordsAreAsDescribed(t *testing.T) {
	for _, c := range []struct {
		data          *dataset
		fields        int
		least, most   int
		columnsInLine int
	}{
		{narrow, eventFields, 135, 150, 6},
		{wide, wideFields, 950, 1150, 6},
		{landing, eventFields, 135, 150, 7},
	} {
		if n := c.data.size(1); n < c.least || n > c.most {
			t.Errorf("%s: %d bytes, want %d to %d", c.data.name, n, c.least, c.most)
		}
		again := make([][]byte, 0, 1000)
		for rec := range c.data.records(1, "t", 4, 1000) {
			again = append(again, bytes.Clone(rec.value))
		}
		for rec := range c.data.records(1, "t", 4, 1000) {
			i := int(rec.offset)*4 + int(rec.partition)
			if !bytes.Equal(rec.value, again[i]) {
				t.Fatalf("%s: record %d differs from what the same seed gave before", c.data.name, i)
			}
			var fields map[string]any
			if err := json.Unmarshal(rec.value, &fields); err != nil || len(fields) != c.fields {
				t.Fatalf("%s: %d fields, want %d (%v): %s", c.data.name, len(fields), c.fields, err, rec.value)
			}
			if n := bytes.Count(rec.line, []byte{'\t'}) + 1; n != c.columnsInLine {
				t.Fatalf("%s: a line has %d columns, want %d: %s", c.data.name, n, c.columnsInLine, rec.line)
			}
		}
	}
}

func TestUpsertedKeys(t *testing.T) {
	const n = 20_000
	for _, s := range upserts(options{records: n}) {
		c := s.(*contest)
		partition := make(map[string]int32)
		held := 0
		for rec := range c.data.records(1, "t", 4, n) {
			if p, known := partition[string(rec.key)]; known && p != rec.partition {
				t.Fatalf("%s: key %s is in the partitions %d and %d", c.name, rec.key, p, rec.partition)
			}
			partition[string(rec.key)] = rec.partition
			if id, err := strconv.ParseInt(string(rec.key), 10, 64); err != nil {
				t.Fatal(err)
			} else if id < int64(c.heldRecords) {
				held++
			}
		}
		want := map[string][2]int{
			"upsert/new": {n, 0}, "upsert/existing": {n, n}, "upsert/half": {n, n / 2}, "upsert/random": {n, 0},
		}[c.name]
		switch got := [2]int{len(partition), held}; {
		case c.data.shared && (len(partition) > n*92/100 || len(partition) < n*88/100):
			t.Errorf("%s: %d keys of %d records", c.name, len(partition), n)
		case !c.data.shared && got != want:
			t.Errorf("%s: %v keys and records of held ones, want %v", c.name, got, want)
		}
	}
}
