package integration_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd/integration/lab"
)

// drawChanges draws records of keys, each key in one partition: with any of the
// fields, null or not, and deletes. The version goes on, mostly.
func drawChanges(random *rand.Rand, n, partitions int) []*kgo.Record {
	recs := make([]*kgo.Record, n)
	for i := range recs {
		id := random.IntN(n / 4)
		fields := []string{fmt.Sprintf(`"id": %d`, id), fmt.Sprintf(`"rev": %d`, i-random.IntN(3*n/4))}
		for _, name := range []string{"name", "amount", "note"} {
			switch random.IntN(3) {
			case 0:
				fields = append(fields, fmt.Sprintf(`"%s": null`, name))
			case 1:
				fields = append(fields, fmt.Sprintf(`"%s": %d`, name, random.IntN(10)))
			}
		}
		recs[i] = &kgo.Record{Key: fmt.Append(nil, id), Partition: int32(id % partitions)}
		if random.IntN(8) > 0 {
			recs[i].Value = []byte("{" + strings.Join(fields, ", ") + "}")
		}
	}
	return recs
}

// TestVerifyModes proves what runs in all modes with a key write, in pieces of
// more than one, and finds a row that was changed and one that was deleted.
func TestVerifyModes(t *testing.T) {
	t.Parallel()
	const partitions = 2
	n := 4000
	if !testing.Short() {
		n = 120_000 // two pieces a partition
	}
	w, _ := newFakeWorld(t, partitions)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	recs := drawChanges(rand.New(rand.NewPCG(seed, 0)), n, partitions)
	for chunk := range slices.Chunk(recs, 10_000) {
		try(t, w.client.ProduceSync(t.Context(), chunk...).FirstErr())
	}
	for _, mode := range []struct {
		name, key string
		env       []string
	}{
		{"upsert", "bigint", []string{"SINKD_MODE", "upsert"}},
		{"soft", "bigint", []string{"SINKD_MODE", "upsert", "SINKD_DELETES", "soft", "SINKD_DELETED_COLUMN", "gone"}},
		{"version", "bigint", []string{"SINKD_MODE", "upsert", "SINKD_VERSION_COLUMN", "rev"}},
		{"unfolded", "float8", []string{"SINKD_MODE", "upsert", "SINKD_VERSION_COLUMN", "rev", "SINKD_DELETES", "soft", "SINKD_DELETED_COLUMN", "gone"}},
		{"ignore", "bigint", []string{"SINKD_MODE", "ignore"}},
	} {
		table := "table_" + mode.name
		w.exec(`CREATE TABLE ` + table + ` (id ` + mode.key + ` PRIMARY KEY, rev bigint, name text DEFAULT 'none', amount numeric, note jsonb, gone bool)`)
		e := w.env().with("SINKD_PIPELINE", mode.name, "SINKD_SCHEMA", "sinkd_"+mode.name, "SINKD_TABLE", table,
			"SINKD_KAFKA_GROUP", w.topic+mode.name, "SINKD_BATCH_MAX_RECORDS", "7001").with(mode.env...)
		caughtUp(t, e)
		r := verify(t, e)
		r.same(t)
		w.exec(`DELETE FROM ` + table + ` WHERE id = (SELECT min(id) FROM ` + table + `)`)
		w.exec(`UPDATE ` + table + ` SET rev = rev + 1 WHERE id = (SELECT max(id) FROM ` + table + `)`)
		r = verify(t, e)
		if c := r.Tables[0]; r.Whole || c.Lost != 1 || c.Changed != 1 || c.Unexpected != 0 {
			t.Errorf("%s: found %q", mode.name, r.found())
		}
	}
}

// TestVerifyWhatKafkaLost tells what Kafka no longer has from what is lost.
func TestVerifyWhatKafkaLost(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	w.produce(200, 2)
	e := w.env()
	caughtUp(t, e)
	var lose kadm.Offsets
	lose.AddOffset(w.topic, 0, 30, -1)
	if _, err := w.admin().DeleteRecords(t.Context(), lose); err != nil {
		t.Fatal(err)
	}
	r := verify(t, e)
	if c := r.Tables[0]; r.Whole || len(c.Differences) > 0 || c.Records != 170 || len(c.Unproved) != 1 || c.Unproved[0].Records != 30 {
		t.Errorf("%+v", c)
	}
	w.exec(`DELETE FROM events WHERE kafka_partition = 0 AND kafka_offset IN (29, 30)`)
	r = verify(t, e)
	if found := r.found(); !slices.Equal(found, []string{"lost 0/30 0"}) {
		t.Errorf("found %q", found)
	}
	_, err := w.admin().AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "cleanup.policy", Value: kadm.StringPtr("compact,delete")}}, w.topic)
	try(t, err)
	r = verify(t, e)
	compacted := func(reason string) bool { return strings.Contains(reason, "is compacted") }
	if c := r.Tables[0]; len(c.Unproved) != 2 || !slices.ContainsFunc(c.Unproved, func(u unproved) bool { return compacted(u.Reason) }) {
		t.Errorf("a compacted topic: %+v", c.Unproved)
	}
}

// TestVerifySharedTable compares two topics that go into one table.
func TestVerifySharedTable(t *testing.T) {
	t.Parallel()
	w, cluster := newFakeWorld(t, 2)
	v := newWorldAt(t, cluster.ListenAddrs()[0], lab.Database(t), 2) // for its topic alone
	w.produce(50, 2)
	v.produce(70, 2)
	w.exec(`ALTER TABLE events ADD kafka_topic text`)
	e := w.env().with("SINKD_TOPICS", w.topic+","+v.topic)
	caughtUp(t, e)
	r := verify(t, e)
	r.same(t)
	w.exec(`DELETE FROM events WHERE kafka_topic = '` + v.topic + `' AND kafka_partition = 1 AND kafka_offset = 3`)
	r = verify(t, e)
	r.same(t, "lost 1/3 0")
	r = verify(t, e, "--topic", w.topic)
	r.same(t)
	if c := r.Tables[0]; c.Records != 50 {
		t.Errorf("%d records of one topic", c.Records)
	}
	w.exec(`ALTER TABLE events DROP kafka_topic`)
	r = verify(t, e, "--topic", w.topic) // whose rows they are is not known any more
	if c := r.Tables[0]; c.By != "count" || c.Lost != 1 || c.Unexpected != 0 {
		t.Errorf("%+v", c)
	}
	r = verify(t, e)
	if c := r.Tables[0]; c.By != "count" || c.Lost != 1 {
		t.Errorf("%+v", c)
	}
}
