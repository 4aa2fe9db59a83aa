package integration_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// offence is a record that the table's check refuses.
const offence = `{"id": -7, "name": "refused", "amount": "1.00"}`

// offended gives a world of two partitions whose table refuses every tenth of
// the first one's records, 200 in all, from offset 500 on.
func offended(t *testing.T) *world {
	t.Helper()
	w, _ := newFakeWorld(t, 2)
	w.exec(`ALTER TABLE events ADD CONSTRAINT positive CHECK (id >= 0)`)
	w.produce(1000, 2)
	for range 20 {
		try(t, w.tryMix(t.Context(), 180, 2, slices.Repeat([]string{offence}, 10)...))
	}
	return w
}

// One transaction is refused for what the table's constraints refuse, whatever
// there is of it, and all else lands in the next.
func TestRefusedRecordsAreFoundTogether(t *testing.T) {
	t.Parallel()
	for mode, ddl := range map[string]string{"append": `SELECT`, "upsert": `ALTER TABLE events ADD PRIMARY KEY (kafka_partition, kafka_offset)`} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := offended(t)
			w.exec(ddl)
			catchUp(t, w.env().with("SINKD_MODE", mode, "SINKD_LANES", "1", "SINKD_BATCH_INTERVAL", "5s"))
			w.exact()
			if n := query[int](w, `SELECT count(DISTINCT batch_id) FROM sinkd.batches WHERE records > 0`)[0]; n > 10 {
				t.Errorf("%d batches", n)
			}
			why := query[string](w, `SELECT DISTINCT concat_ws(' ', stage, sqlstate, reason) FROM sinkd.dead_letters`)
			if want := `write 23514 new row for relation "events" violates check constraint "positive"`; !slices.Equal(why, []string{want}) {
				t.Errorf("reasons %q", why)
			}
		})
	}
}

// What is found together stops the pipeline as a single record does, with all
// that lies before it landed.
func TestRefusedRecordsStopThePartition(t *testing.T) {
	t.Parallel()
	w := offended(t)
	s := start(t, w.env().with("SINKD_ON_BAD_RECORD", "stop"), "run", "--until-caught-up")
	if code := s.exit(time.Minute); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	first := int64(1 << 60)
	for at := range w.bad {
		first = min(first, at.offset)
	}
	for at := range w.sent {
		if at.partition == 0 && at.offset > first {
			delete(w.sent, at)
		}
	}
	clear(w.bad)
	w.exact()
	state := query[string](w, `SELECT concat_ws(' ', partition, halted, next_offset) FROM sinkd.offsets WHERE partition = 0`)
	if want := fmt.Sprintf("0 bad_record %d", first); !slices.Equal(state, []string{want}) {
		t.Errorf("state %q, want %q", state, want)
	}
}

// Records that are found together count towards the budget as others do.
func TestRefusedRecordsSpendTheBudget(t *testing.T) {
	t.Parallel()
	w := offended(t)
	s := start(t, w.env().with("SINKD_DEAD_LETTER_LIMIT", "150/1h"), "run", "--until-caught-up")
	if code := s.exit(time.Minute); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	got := query[string](w, `SELECT format('paused %s, %s, at most 150 letters %s, all counted %s %s', (SELECT paused FROM sinkd.pipelines),
		(SELECT string_agg(kind, ' ') FROM sinkd.incidents), count(*) <= 150,
		count(*) = (SELECT coalesce(sum(dead), 0) FROM sinkd.batches), (SELECT count(*) FROM events) = (SELECT coalesce(sum(rows), 0) FROM sinkd.batches))
		FROM sinkd.dead_letters`)[0]
	if want := "paused t, dead_letter_limit, at most 150 letters t, all counted t t"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A topic all of whose records are refused halts.
func TestRefusedRecordsAreAllThereIs(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 1)
	w.exec(`ALTER TABLE events ADD CHECK (id >= 0)`)
	w.produceBad(slices.Repeat([]string{offence}, 300), 0)
	s := start(t, w.env(), "run", "--until-caught-up")
	if code := s.exit(time.Minute); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	got := query[string](w, `SELECT format('%s, fewer than 100 letters %s', (SELECT halted FROM sinkd.offsets), count(*) < 100) FROM sinkd.dead_letters`)[0]
	if want := "all_bad, fewer than 100 letters t"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
