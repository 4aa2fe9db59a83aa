package transform

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sinkd/sinkd"
)

// event is a record of the property test: what it says, before it is JSON.
type event struct {
	key       [2]int
	tombstone bool
	// fields are the columns that it has, -1 = null.
	fields map[string]int
	at     int
}

// model is a table by key, each row by column; what a column has not is its
// default.
type model map[[2]int]map[string]int

const null = -1

// foldCase is how the events of a run enter the table.
type foldCase struct {
	route *sinkd.Route
	table *sinkd.Table
}

func foldCases() []foldCase {
	var cases []foldCase
	for _, key := range []string{"int", "text", "uuid", "numeric"} {
		for _, version := range []string{"", "v"} {
			for _, deletes := range []sinkd.Deletes{sinkd.Remove, sinkd.Soft, sinkd.Keep} {
				for _, deleted := range []string{"bool", "timestamptz"} {
					r := &sinkd.Route{Mode: sinkd.Upsert, Deletes: deletes, DeletedColumn: "gone", Version: version}
					cases = append(cases, foldCase{r, keyedTable(2, "k "+key, "l bigint", "a int", "v int", "b int!", "gone "+deleted)})
				}
			}
		}
		cases = append(cases, foldCase{&sinkd.Route{Mode: sinkd.Ignore}, keyedTable(2, "k "+key, "l bigint", "a int=", "v int=", "b int=", "gone bool=")})
	}
	return cases
}

// apply is the fold of the log that the rows have to equal: one event at a
// time. It tells whether the event had an effect.
func (m model) apply(r *sinkd.Route, ev *event) {
	row := m[ev.key]
	switch {
	case ev.tombstone && r.Mode == sinkd.Upsert && r.Deletes == sinkd.Remove:
		delete(m, ev.key)
	case ev.tombstone && r.Mode == sinkd.Upsert && r.Deletes == sinkd.Soft:
		if row != nil {
			row["gone"] = ev.at
		}
	case ev.tombstone:
	case row == nil:
		row = maps.Clone(ev.fields)
		if r.Deletes == sinkd.Soft {
			row["gone"] = null
		}
		m[ev.key] = row
	case r.Mode == sinkd.Ignore, r.Version != "" && ev.fields["v"] < row["v"]:
	default:
		maps.Copy(row, ev.fields)
		if r.Deletes == sinkd.Soft {
			row["gone"] = null
		}
	}
}

// randomEvents gives a log, which has all events of a key in one partition.
func randomEvents(rnd *rand.Rand, versions bool) []event {
	events := make([]event, rnd.IntN(60))
	keys := 1 + rnd.IntN(8)
	sparse := rnd.IntN(4)
	for i := range events {
		n := rnd.IntN(keys)
		ev := &events[i]
		ev.key, ev.at, ev.fields = [2]int{n % 3, n}, i, map[string]int{}
		if ev.tombstone = rnd.IntN(5) == 0; ev.tombstone {
			continue
		}
		for _, name := range []string{"a", "b", "v"} {
			if rnd.IntN(4) >= sparse {
				ev.fields[name] = rnd.IntN(5)
			}
		}
		if _, ok := ev.fields["a"]; ok && rnd.IntN(4) == 0 {
			ev.fields["a"] = null
		}
		if versions {
			ev.fields["v"] = rnd.IntN(5)
		}
	}
	return events
}

// record writes the event as a record of partition key%2.
func (ev *event) record(rnd *rand.Rand, typ string) *sinkd.Record {
	k := fmt.Sprint(ev.key[0] - 1)
	switch typ {
	case "text":
		k = fmt.Sprintf(`"%s"`, strings.Repeat("a longer text ", ev.key[0]))
	case "uuid":
		k = fmt.Sprintf(`"%032x"`, ev.key[0])
	case "numeric":
		k = fmt.Sprintf(`"%d.%s"`, ev.key[0], strings.Repeat("0", rnd.IntN(3)))
	}
	key := fmt.Sprintf(`"k":%s,"l":%d`, k, ev.key[1])
	rec := &sinkd.Record{Topic: "topic", Partition: int32(ev.key[1] % 2), Timestamp: time.UnixMilli(int64(ev.at))}
	if ev.tombstone {
		rec.Key = []byte("{" + key + "}")
		return rec
	}
	var fields []string
	for name, value := range ev.fields {
		text := fmt.Sprint(value)
		if value == null {
			text = "null"
		}
		fields = append(fields, fmt.Sprintf(`"%s":%s`, name, text))
	}
	if rnd.IntN(2) == 0 {
		// The value has to have a field of the table.
		rec.Key, key = []byte("{"+key+"}"), fmt.Sprintf(`"l":%d`, ev.key[1])
	}
	rec.Value = []byte("{" + strings.Join(append(fields, key), ",") + "}")
	return rec
}

// place is a row of a batch with where its record is.
type place struct {
	rows *sinkd.Rows
	n    int
	ref  sinkd.RowRef
}

// write does to the model what Postgres is to do with the batch's rows.
func (m model) write(t *testing.T, b *sinkd.Batch, keys map[string][2]int) {
	t.Helper()
	var places []place
	for i := range b.Rows {
		for n, ref := range b.Rows[i].Row {
			places = append(places, place{&b.Rows[i], n, ref})
		}
	}
	if len(b.Rows) > 0 && b.Rows[0].Unfolded {
		slices.SortStableFunc(places, func(x, y place) int {
			return 2*int(x.ref.Range-y.ref.Range) + min(max(int(x.ref.Index-y.ref.Index), -1), 1)
		})
	} else {
		checkOrder(t, b)
	}
	for _, p := range places {
		m.row(p, keys, b)
	}
}

// checkOrder checks that deletes come first, marks second, that each key is
// there once, and that keys are sorted.
func checkOrder(t *testing.T, b *sinkd.Batch) {
	t.Helper()
	rank := map[sinkd.Op]int{sinkd.Delete: 0, sinkd.Mark: 1, sinkd.Write: 2}
	seen := map[string]bool{}
	for i := range b.Rows {
		rows := &b.Rows[i]
		if i > 0 && rank[rows.Op] < rank[b.Rows[i-1].Op] {
			t.Errorf("%v after %v", rows.Op, b.Rows[i-1].Op)
		}
		var last []byte
		for _, ref := range rows.Row {
			key := keyOf(rows.Buf[ref.Start:], 2)
			if id := fmt.Sprint(rows.Op, string(key)); seen[id] {
				t.Errorf("%s is there twice", id)
			} else {
				seen[id] = true
			}
			sortable := appendSortable(nil, key, shapesOf([]*sinkd.Column{&rows.Table.Columns[0], &rows.Table.Columns[1]}))
			if bytes.Compare(last, sortable) >= 0 {
				t.Errorf("key %x behind %x", sortable, last)
			}
			last = sortable
		}
	}
}

func (m model) row(p place, keys map[string][2]int, b *sinkd.Batch) {
	r := p.rows.Route
	end := len(p.rows.Buf) - len(sinkd.CopyTrailer)
	if p.n+1 < len(p.rows.Row) {
		end = p.rows.Row[p.n+1].Start
	}
	tuple := p.rows.Buf[p.ref.Start:end]
	rest := tuple[2:]
	fields := map[string]int{}
	var field []byte
	for i, name := range p.rows.Columns {
		field, rest = cutField(rest)
		switch {
		case i < 2:
		case bytes.Equal(field, []byte{0xff, 0xff, 0xff, 0xff}):
			fields[name] = null
		case name == "gone" && len(field) == 5:
			// Of a boolean, only the record tells which tombstone set it.
			if fields[name] = null; field[4] == 1 {
				fields[name] = int(b.Record(p.ref).Timestamp.UnixMilli())
			}
		case name == "gone":
			fields[name] = int(bigEndian(field[4:])-unixEpoch) / 1000
		default:
			fields[name] = int(bigEndian(field[4:]))
		}
	}
	key := keys[string(keyOf(tuple, 2))]
	row := m[key]
	switch {
	case p.rows.Op == sinkd.Delete:
		delete(m, key)
	case p.rows.Op == sinkd.Mark:
		if row != nil {
			maps.Copy(row, fields)
		}
	case row == nil:
		m[key] = fields
	case r.Mode == sinkd.Ignore, r.Version != "" && fields["v"] < row["v"]:
	default:
		maps.Copy(row, fields)
	}
}

func bigEndian(b []byte) (n int64) {
	if b[0] >= 0x80 {
		n = -1
	}
	for _, c := range b {
		n = n<<8 | int64(c)
	}
	return n
}

// TestFoldEqualsLog folds random logs, cut into random batches, and compares
// what the rows make of a table with what the log makes of it event by event.
func TestFoldEqualsLog(t *testing.T) {
	rnd := newRand(t)
	for _, c := range foldCases() {
		c.route.Topics = []string{"topic"}
		e := NewEncoder(Options{Routes: []*sinkd.Route{c.route}})
		if err := e.Supply("topic", c.table); err != nil {
			t.Fatal(err)
		}
		for range 150 {
			events := randomEvents(rnd, c.route.Version != "")
			name := fmt.Sprintf("%s of %s by %s, deletes %s, %s", c.route.Mode, c.table.Columns[0].TypeName, c.route.Version, c.route.Deletes, c.table.Columns[5].TypeName)
			want := model{}
			for i := range events {
				want.apply(c.route, &events[i])
			}
			if diff := cmp.Diff(want, foldLog(t, rnd, e, c, events)); diff != "" || t.Failed() {
				t.Fatalf("%s: %v: %s", name, events, diff)
			}
		}
	}
}

// foldLog encodes the events in batches of two partitions and applies the rows.
func foldLog(t *testing.T, rnd *rand.Rand, e *Encoder, c foldCase, events []event) model {
	t.Helper()
	got, keys, keyer := model{}, map[string][2]int{}, newKeyer(t, c)
	for len(events) > 0 {
		n := 1 + rnd.IntN(len(events))
		b := &sinkd.Batch{Ranges: make([]sinkd.Range, 2)}
		for i := range b.Ranges {
			b.Ranges[i].Claim = &sinkd.Claim{Partition: sinkd.Partition{Topic: "topic", ID: int32(i)}}
		}
		for i := range events[:n] {
			rec := events[i].record(rnd, c.table.Columns[0].TypeName)
			r := &b.Ranges[rec.Partition]
			r.Records.Append(sinkd.RecordsOf(rec))
			keys[keyer.of(t, rec)] = events[i].key
		}
		e.Encode(b)
		for i := range b.Ranges {
			if k := b.Ranges[i].Count; k.Dead > 0 || k.Rows+k.Skipped != b.Ranges[i].Records.Len() {
				t.Fatalf("%d records are counted as %+v: %v", b.Ranges[i].Records.Len(), k, b.Dead)
			}
		}
		got.write(t, b, keys)
		events = events[n:]
	}
	return got
}

// keyer gives the encoded keys of records.
type keyer struct{ encoder *Encoder }

func newKeyer(t *testing.T, c foldCase) *keyer {
	t.Helper()
	r := *c.route
	r.Version, r.Deletes = "", sinkd.Keep
	k := &keyer{NewEncoder(Options{Routes: []*sinkd.Route{&r}})}
	if err := k.encoder.Supply("topic", c.table); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *keyer) of(t *testing.T, rec *sinkd.Record) string {
	t.Helper()
	value := *rec
	if value.Value == nil {
		value.Value = value.Key
	}
	b := batchOf([]*sinkd.Record{&value})
	k.encoder.Encode(b)
	if len(b.Dead) > 0 {
		t.Fatal(b.Dead[0].Reason)
	}
	defer k.encoder.Recycle(b)
	return string(keyOf(b.Rows[0].Buf[b.Rows[0].Row[0].Start:], 2))
}
