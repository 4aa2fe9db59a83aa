package integration_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// mostGrown is how many fields events get at most as time goes by.
const mostGrown = 200

// widen lets the events have a field more than before, after each so many of
// them, and takes columns from the table, so that those are added, too.
func (w *world) widen(each int64) {
	w.t.Helper()
	w.grows = each
	w.exec(`ALTER TABLE events DROP COLUMN name, DROP COLUMN amount`)
}

// grown gives an event's record the field that events of its time have.
func (w *world) grown(id int64, rec *kgo.Record) *kgo.Record {
	if w.grows > 0 {
		rec.Value = fmt.Appendf(nil, `{"grown %d": %d, %s`, id/w.grows%mostGrown, id, rec.Value[1:])
	}
	return rec
}

// exactColumns checks that each row has its event's own field and no other, and
// that each column was added once.
func (w *world) exactColumns() {
	w.t.Helper()
	wrong := query[int64](w, fmt.Sprintf(`SELECT count(*) FROM events e
		 WHERE jsonb_build_object('grown ' || id / %d %% %d, id) IS DISTINCT FROM
		       (SELECT jsonb_object_agg(key, value) FROM jsonb_each(to_jsonb(e)) WHERE key LIKE 'grown %%' AND value <> 'null')`,
		w.grows, mostGrown))[0]
	if wrong > 0 {
		w.t.Errorf("%d rows have not the fields of their events", wrong)
	}
	added := query[int64](w, `SELECT sum(array_length(string_to_array(statement, 'ADD COLUMN'), 1) - 1)
		FROM sinkd.schema_changes WHERE action = 'add-column'`)[0]
	there := query[int64](w, `SELECT count(*) FROM information_schema.columns
		WHERE table_name = 'events' AND column_name NOT IN ('id', 'kafka_partition', 'kafka_offset')`)[0]
	if added != there || there < 4 {
		w.t.Errorf("%d columns were added, and %d are there", added, there)
	}
}

// TestColumnsAreAddedByReplicas lets two replicas with two lanes each meet new
// fields at about the same time, wave after wave. All records land, and each
// field gets one column.
func TestColumnsAreAddedByReplicas(t *testing.T) {
	t.Parallel()
	const waves, each, partitions = 6, 40, 4
	w, _ := newFakeWorld(t, partitions)
	w.widen(each)
	e := w.env().with("SINKD_UNKNOWN_FIELDS", "add-column", "SINKD_BATCH_INTERVAL", "0s", "SINKD_LANES", "2", "SINKD_LOCK_TIMEOUT", "1s")
	replicas := []*service{start(t, e), start(t, e)}
	balanced(t, time.Minute, partitions/2, replicas...)
	for range waves {
		w.produce(each, partitions)
	}
	w.complete()
	w.exactColumns()
	for _, s := range replicas {
		if code := s.term(30 * time.Second); code != 0 {
			t.Errorf("exit code %d after SIGTERM", code)
		}
	}
}
