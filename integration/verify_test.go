package integration_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// report is what `sinkd verify --json` prints, as far as tests look at it.
type report struct {
	Whole  bool
	Ledger struct {
		Flaws []struct{ Kind, Detail string }
	}
	Tables []struct {
		By          string
		Records     int64
		Lost        int64
		Doubled     int64
		Changed     int64
		Unexpected  int64
		Other       int64 `json:"other_rows"`
		Discarded   int64
		Differences []struct {
			Kind      string
			Partition int32
			Offset    int64
			Rows      int64
			Columns   []string
		}
		Unproved []unproved `json:"not_proved"`
	}
}

// unproved is why records could not be compared.
type unproved struct {
	Reason  string
	Records int64
}

// verify runs `sinkd verify --deep --json`, whose exit code has to fit what it
// found.
func verify(t testing.TB, e env, more ...string) report {
	t.Helper()
	s := start(t, e, append([]string{"verify", "--deep", "--json"}, more...)...)
	code := s.exit(5 * time.Minute)
	out := s.Output()
	var r report
	from, until := bytes.IndexByte(out, '{'), bytes.LastIndexByte(out, '}')
	if from < 0 || json.Unmarshal(out[from:until+1], &r) != nil {
		t.Fatalf("exit code %d, and no report:\n%s", code, out)
	}
	if want := map[bool]int{true: 0, false: 1}[r.Whole]; code != want {
		t.Errorf("exit code %d in place of %d", code, want)
	}
	return r
}

// found lists what the comparison of the only table found.
func (r *report) found() []string {
	found := []string{}
	for _, d := range r.Tables[0].Differences {
		found = append(found, strings.TrimSpace(fmt.Sprintf("%s %d/%d %d %s", d.Kind, d.Partition, d.Offset, d.Rows, strings.Join(d.Columns, ","))))
	}
	return found
}

// same fails the test where the report is not whole, or finds something else.
func (r *report) same(t testing.TB, want ...string) {
	t.Helper()
	if found := r.found(); !slices.Equal(found, want) && len(found)+len(want) > 0 {
		t.Errorf("found %q, want %q", found, want)
	}
	if r.Whole != (len(want) == 0) || len(r.Ledger.Flaws) > 0 || len(r.Tables[0].Unproved) > 0 {
		t.Errorf("not proved: %+v", r)
	}
}

// caughtUp runs sinkd until it has caught up.
func caughtUp(t testing.TB, e env) {
	t.Helper()
	if code := start(t, e, "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
}

// TestVerifyTypedTable tampers with a table that carries coordinates, without
// and with an index on them.
func TestVerifyTypedTable(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 3)
	w.exec(`ALTER TABLE events ADD note json DEFAULT '{}', ADD spot point, ADD code varchar(9) DEFAULT 'none'`)
	w.produce(900, 3)
	w.produceBad([]string{`{"id": 1,`, `{"id": "x"}`, `{"other": true}`}, 1)
	w.mustSend(`{"id": 100000, "amount": 1e2, "note": {"a" : 1}, "spot": "(1,2)"}`, `{"id": 100001, "amount": 1.005, "code": "x"}`)
	e := w.env()
	caughtUp(t, e)
	r := verify(t, e)
	r.same(t)
	if c := r.Tables[0]; c.By != "coordinates" || c.Records != 902 {
		t.Errorf("%d records by %s", c.Records, c.By)
	}
	w.exec(`DELETE FROM events WHERE kafka_partition = 0 AND kafka_offset = 7`)
	w.exec(`INSERT INTO events SELECT * FROM events WHERE kafka_partition = 1 AND kafka_offset = 9`)
	w.exec(`UPDATE events SET amount = amount + 0.01, name = NULL WHERE kafka_partition = 2 AND kafka_offset = 11`)
	w.exec(`UPDATE events SET note = '{"a": 2}', spot = '(1,3)' WHERE id = 100000`)
	w.exec(`UPDATE events SET code = 'other' WHERE id = 5`) // what the record does not give
	w.exec(`INSERT INTO events (id, kafka_partition, kafka_offset) VALUES (1, 1, 300)`)
	want := []string{
		"lost 0/7 0", "changed 0/300 1 note,spot", "doubled 1/9 2", "unexpected 1/300 1", "changed 2/11 1 name,amount",
	}
	r = verify(t, e)
	r.same(t, want...)
	w.exec(`CREATE INDEX ON events (kafka_offset, kafka_partition)`)
	r = verify(t, e)
	r.same(t, want...)
	w.exec(`DELETE FROM sinkd.dead_letters WHERE record_offset = 301`)
	r = verify(t, e)
	if found := r.found(); !slices.Contains(found, "lost 1/301 0") || len(found) != len(want)+1 || len(r.Ledger.Flaws) != 1 {
		t.Errorf("without a dead letter: %q, %v", found, r.Ledger.Flaws)
	}
}

// mustSend produces records to partition 0 that the world knows nothing of.
func (w *world) mustSend(values ...string) {
	w.t.Helper()
	for _, v := range values {
		if err := w.client.ProduceSync(w.t.Context(), kgo.StringRecord(v)).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestVerifyLandingTable tampers with a landing table.
func TestVerifyLandingTable(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	w.produce(400, 2)
	e := w.env()
	delete(e, "SINKD_TABLE")
	caughtUp(t, e)
	r := verify(t, e)
	r.same(t)
	table := `public."` + w.topic + `"`
	w.exec(`DELETE FROM ` + table + ` WHERE kafka_partition = 0 AND kafka_offset = 0`)
	w.exec(`INSERT INTO ` + table + ` TABLE ` + table + ` LIMIT 1`)
	w.exec(`UPDATE ` + table + ` SET value = value || '{"name": "other"}' WHERE kafka_partition = 1 AND kafka_offset = 199`)
	doubled := query[string](w, `SELECT format('doubled %s/%s 2', kafka_partition, kafka_offset) FROM `+table+` GROUP BY kafka_partition, kafka_offset HAVING count(*) > 1`)
	r = verify(t, e)
	r.same(t, "lost 0/0 0", doubled[0], "changed 1/199 1 value")
}

// TestVerifyCounts compares counts where a table carries no coordinates.
func TestVerifyCounts(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	w.exec(`ALTER TABLE events DROP COLUMN kafka_offset`)
	w.produce(100, 2)
	e := w.env()
	caughtUp(t, e)
	r := verify(t, e)
	if c := r.Tables[0]; r.Whole || c.By != "count" || len(c.Differences) > 0 || len(c.Unproved) != 1 {
		t.Errorf("%+v", r)
	}
	w.exec(`DELETE FROM events WHERE id < 3`)
	r = verify(t, e)
	if c := r.Tables[0]; r.Whole || c.Lost != 3 {
		t.Errorf("%+v", r)
	}
}

// TestVerifyUpsert tampers with a table that is written by key.
func TestVerifyUpsert(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"bigint", "numeric"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			w, _ := newFakeWorld(t, 2)
			w.exec(`DROP TABLE events; CREATE TABLE events (id ` + key + ` PRIMARY KEY, name text DEFAULT 'none', amount numeric(12,2), note text)`)
			for id := range int32(40) {
				for n := range 3 {
					value := fmt.Appendf(nil, `{"id": %d, "name": "n%d", "amount": %d.5}`, id, n, n)
					if n == 2 {
						value = fmt.Appendf(nil, `{"id": %d, "amount": null}`, id)
					}
					w.mustKeyed(id%2, fmt.Appendf(nil, "%d", id), value)
				}
				if id%4 == 0 {
					w.mustKeyed(id%2, fmt.Appendf(nil, "%d", id), nil)
				}
				if id%8 == 0 {
					w.mustKeyed(id%2, fmt.Appendf(nil, "%d", id), fmt.Appendf(nil, `{"id": %d, "note": "new"}`, id))
				}
			}
			e := w.env().with("SINKD_MODE", "upsert", "SINKD_BATCH_MAX_RECORDS", "17")
			caughtUp(t, e)
			r := verify(t, e)
			r.same(t)
			w.exec(`DELETE FROM events WHERE id = 1`)
			w.exec(`UPDATE events SET name = 'other' WHERE id = 3`)
			w.exec(`UPDATE events SET note = 'other' WHERE id = 5`) // no record gives it
			w.exec(`INSERT INTO events (id) VALUES (4)`)
			w.exec(`UPDATE events SET note = 'other' WHERE id = 8`)
			w.exec(`INSERT INTO events (id) VALUES (1000)`)
			r = verify(t, e)
			r.same(t, "unexpected 0/11 1", "changed 0/19 1 note", "lost 1/2 0", "changed 1/5 1 name")
			if c := r.Tables[0]; c.By != "key" || c.Other != 1 {
				t.Errorf("by %s, %d other rows", c.By, c.Other)
			}
		})
	}
}

// mustKeyed produces a record with a key.
func (w *world) mustKeyed(partition int32, key, value []byte) {
	w.t.Helper()
	rec := &kgo.Record{Partition: partition, Key: key, Value: value}
	if err := w.client.ProduceSync(w.t.Context(), rec).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// TestVerifyWhileRunning proves the whole while records land.
func TestVerifyWhileRunning(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	e := w.env()
	s := start(t, e)
	s.ready(30 * time.Second)
	stop := w.feed(50, 2)
	w.advance(500)
	for range 3 {
		r := verify(t, e)
		r.same(t)
	}
	stop()
	w.complete()
}

// TestVerifyLetters proves the whole after dead letters were replayed and
// discarded, and records read again.
func TestVerifyLetters(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	w.exec(`ALTER TABLE events ADD span int4range`)
	w.produce(60, 2)
	w.mustSend(`{"id": 1000, "span": "[1,3)"}`, `{"id": 1001, "span": "3"}`, `{"id": "x"}`, `{"id": 1002, "span": "(3"}`, `{"id": 1003, "span": "[1,3]"}`)
	e := w.env()
	caughtUp(t, e)
	r := verify(t, e)
	r.same(t)
	command := func(args ...string) {
		t.Helper()
		if code := start(t, e, args...).exit(time.Minute); code != 0 {
			t.Fatalf("%v: exit code %d", args, code)
		}
	}
	w.exec(`ALTER TABLE events ALTER id TYPE text`)
	command("dead-letters", "replay", "--where", "stage = 'convert'")
	r = verify(t, e)
	r.same(t)
	w.exec(`UPDATE events SET name = 'other' WHERE id = 'x'`)
	r = verify(t, e)
	r.same(t, "changed 0/32 1 name")
	w.exec(`DELETE FROM events WHERE id = 'x'`)
	command("dead-letters", "discard", "--yes")
	w.exec(`DELETE FROM events WHERE id = '1003'`)
	r = verify(t, e)
	if c := r.Tables[0]; r.Whole || c.Lost != 2 || c.Discarded != 2 {
		t.Errorf("lost %d, discarded %d: %v", c.Lost, c.Discarded, r.found())
	}
	w.exec(`ALTER TABLE events ALTER span TYPE text`)
	command("offsets", "set", "--to", "earliest", "--delete-rows", "--yes")
	caughtUp(t, e)
	r = verify(t, e)
	r.same(t)
	command("offsets", "set", "--to", "34", "--yes", "--topic", w.topic, "--partition", "0")
	caughtUp(t, e)
	r = verify(t, e)
	if found := r.found(); r.Whole || !slices.Equal(found, []string{"doubled 0/34 2"}) || len(r.Tables[0].Unproved) != 1 {
		t.Errorf("after the position was set on: %+v", r.Tables[0])
	}
}
