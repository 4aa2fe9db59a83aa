package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestColumnsAreAddedByReplicas lets two replicas with two lanes each meet new
// fields at about the same time, wave after wave. All records land, and each
// field gets one column.
func TestColumnsAreAddedByReplicas(t *testing.T) {
	t.Parallel()
	const waves, each, partitions = 6, 40, 4
	w, _ := newFakeWorld(t, partitions)
	w.exec(`ALTER TABLE events DROP COLUMN name, DROP COLUMN amount`)
	e := w.env().with("SINKD_UNKNOWN_FIELDS", "add-column", "SINKD_BATCH_INTERVAL", "0s", "SINKD_LANES", "2", "SINKD_LOCK_TIMEOUT", "1s")
	replicas := []*service{start(t, e), start(t, e)}
	balanced(t, time.Minute, partitions/2, replicas...)
	for wave := range waves {
		first := w.ids(each)
		recs := make([]*kgo.Record, each)
		for i := range recs {
			recs[i] = w.event(first+int64(i), int32(i%partitions))
			recs[i].Value = fmt.Appendf(nil, `{"wave %d": %d, %s`, wave, first+int64(i), recs[i].Value[1:])
		}
		try(t, w.send(t.Context(), recs, func(i int, at place) { w.sent[at] = first + int64(i) }))
	}
	w.complete()
	var same []string
	for wave := range waves {
		same = append(same, fmt.Sprintf(`"wave %d" IS NOT DISTINCT FROM CASE WHEN id / %d = %[1]d THEN id END`, wave, each))
	}
	if n := query[int64](w, `SELECT count(*) FROM events WHERE NOT (`+strings.Join(same, " AND ")+`)`)[0]; n > 0 {
		t.Errorf("%d rows have the fields of other records", n)
	}
	added := query[int64](w, `SELECT sum(array_length(string_to_array(statement, 'ADD COLUMN'), 1) - 1)
		FROM sinkd.schema_changes WHERE action = 'add-column'`)[0]
	if added != waves+2 {
		t.Errorf("%d columns were added in place of %d", added, waves+2)
	}
	for _, s := range replicas {
		if code := s.term(30 * time.Second); code != 0 {
			t.Errorf("exit code %d after SIGTERM", code)
		}
	}
}
