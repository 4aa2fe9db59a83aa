package integration_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sinkd/sinkd"
)

// foldRecord is a record of a random log.
type foldRecord struct {
	*sinkd.Record
	// poisoned says why it can never be a row, empty where it can.
	poisoned string
}

// foldLog is a random log: the records of each partition, for one or two
// tables.
type foldLog struct {
	tables []*foldTable
	parts  []*foldPart
}

// foldPart is what a partition gets.
type foldPart struct {
	sinkd.Partition
	table   *foldTable
	from    int64
	until   int64
	records []*foldRecord
}

// foldEpoch is the time of all logs' beginning.
var foldEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// foldDraw draws a log.
type foldDraw struct {
	*rand.Rand
	log *foldLog
	// spread is the number of keys of each table, unique the number of the last
	// key that only one record has.
	spread, unique int
	// wild lets records lack columns as they please; else there are a few lists
	// of columns only. refuses lets there be records that Postgres refuses.
	wild, refuses bool
	at            int
}

// drawFold draws a log whose partitions begin at next.
func drawFold(r *rand.Rand, tables []*foldTable, next func(sinkd.Partition) int64) *foldLog {
	d := &foldDraw{Rand: r, log: &foldLog{}, spread: 1 + r.IntN(8), unique: 1000, wild: r.IntN(50) == 0, refuses: r.IntN(4) == 0}
	for _, i := range r.Perm(len(tables))[:1+r.IntN(2)] {
		t := tables[i]
		d.log.tables = append(d.log.tables, t)
		for id := range int32(foldPartitions) {
			p := sinkd.Partition{Topic: t.name, ID: id}
			d.log.parts = append(d.log.parts, &foldPart{Partition: p, table: t, from: next(p), until: next(p)})
		}
	}
	for range 1 + r.IntN(30) {
		d.record()
	}
	return d.log
}

// record appends a record to one of the partitions. A key belongs to one.
func (d *foldDraw) record() {
	t := d.IntN(len(d.log.tables))
	key := d.IntN(d.spread)
	p := d.log.parts[t*foldPartitions+key%foldPartitions]
	if d.IntN(10) == 0 {
		p.until += int64(d.IntN(4)) // what compaction and markers leave
	}
	rec := &foldRecord{Record: &sinkd.Record{
		Topic: p.Topic, Partition: p.ID, Offset: p.until, Timestamp: foldEpoch.Add(time.Duration(d.at) * time.Second),
	}}
	if d.at++; d.IntN(4) == 0 {
		rec.Key = d.recordKey(p.table, key)
	} else {
		d.write(rec, p.table, key)
	}
	p.records = append(p.records, rec)
	p.until++
}

// recordKey gives the key as a record's key.
func (d *foldDraw) recordKey(t *foldTable, key int) []byte {
	if len(t.keys) == 1 && d.IntN(2) == 0 {
		text := t.keys[0].spell(d.Rand, key)
		if d.IntN(2) == 0 && !strings.Contains(text, `\`) {
			text = strings.Trim(text, `"`) // a key that is no JSON
		}
		return []byte(text)
	}
	var fields []string
	for i, name := range t.keyColumns() {
		fields = append(fields, fmt.Sprintf(`%q:%s`, name, t.keys[i].spell(d.Rand, key)))
	}
	return []byte("{" + strings.Join(fields, ",") + "}")
}

// write makes the record one with a value.
func (d *foldDraw) write(rec *foldRecord, t *foldTable, key int) {
	fields, poison := d.fields(t), ""
	if d.IntN(12) == 0 {
		poison = d.poison(t)
	}
	if poison == "refused" {
		d.unique++
		key, fields["p"] = d.unique, "-1"
	}
	inValue := 0
	for i, name := range t.keyColumns() {
		if poison != "keyless" && d.IntN(4) > 0 {
			fields[name] = t.keys[i].spell(d.Rand, key)
			inValue++
		}
	}
	if poison != "keyless" && (inValue < len(t.keys) || d.IntN(3) == 0) {
		rec.Key = d.recordKey(t, key)
	}
	d.spoil(fields, poison)
	if len(fields) == 0 {
		poison = "no field has a column"
	}
	rec.Value, rec.poisoned = d.object(fields), poison
	switch poison {
	case "cut":
		rec.Value = rec.Value[:len(rec.Value)-1]
	case "twice":
		rec.Value = append(rec.Value[:len(rec.Value)-1], `,"a":"x","a":"y"}`...)
	}
}

// fields draws those of the value that are not the key's.
func (d *foldDraw) fields(t *foldTable) map[string]string {
	fields := make(map[string]string)
	lacks := [...]string{"", "nb"}[d.IntN(2)]
	draw := func(name, value string) {
		switch {
		case d.wild && d.IntN(3) == 0, !d.wild && strings.Contains(lacks, name):
		case d.IntN(6) == 0:
			fields[name] = "null"
		default:
			fields[name] = value
		}
	}
	draw("a", fmt.Sprintf(`"text %d"`, d.IntN(100)))
	draw("n", fmt.Sprint(d.Int64()-1<<62))
	draw("b", fmt.Sprintf("%d.%02d", d.IntN(1000), d.IntN(100)))
	draw("c", fmt.Sprint(d.IntN(2) == 0))
	draw("p", fmt.Sprint(1+d.IntN(9)))
	switch t.version {
	case "bigint":
		fields["v"] = fmt.Sprint(d.IntN(10))
	case "numeric":
		fields["v"] = fmt.Sprintf([]string{"%d", "%d.0", "%d.50"}[d.IntN(3)], d.IntN(6))
	}
	return fields
}

// poison draws what makes a record one that can never be a row.
func (d *foldDraw) poison(t *foldTable) string {
	kinds := []string{"cut", "twice", "keyless", "not a number"}
	if d.refuses {
		kinds = append(kinds, "refused")
	}
	if t.version != "" {
		kinds = append(kinds, "no version", "null version")
	}
	return kinds[d.IntN(len(kinds))]
}

// spoil puts the poison into the fields.
func (d *foldDraw) spoil(fields map[string]string, poison string) {
	switch poison {
	case "not a number":
		fields["n"] = `"none"`
	case "no version":
		delete(fields, "v")
	case "null version":
		fields["v"] = "null"
	}
}

// object gives the fields in random order, with one that has no column.
func (d *foldDraw) object(fields map[string]string) []byte {
	columns := append([]string{"k1", "k2", "a", "n", "b", "c", "p", "v"}, "z")
	if d.IntN(5) == 0 {
		fields["z"] = `{"a":[1,"x"]}`
	}
	var parts []string
	for _, i := range d.Perm(len(columns)) {
		if v, ok := fields[columns[i]]; ok {
			parts = append(parts, fmt.Sprintf("%q:%s", columns[i], v))
		}
	}
	return []byte("{" + strings.Join(parts, ",") + "}")
}

// describe prints the log.
func (c *foldLog) describe() string {
	var b strings.Builder
	for _, p := range c.parts {
		fmt.Fprintf(&b, "%s, %s %s from %d: %s\n", p.Partition, p.table.route.Mode, p.table.route.Deletes, p.from, p.table.ddl())
		for _, r := range p.records {
			fmt.Fprintf(&b, "  %d %s %s %s\n", r.Offset, r.Key, r.Value, r.poisoned)
		}
	}
	return b.String()
}
