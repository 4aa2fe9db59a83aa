package store_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// kinds gives what the ledger of topic t has for flaws: kind and offsets.
func (f *fixture) kinds(s *store.Store) []string {
	f.Helper()
	l := f.ledger(s)
	kinds := []string{}
	for _, flaw := range l.Flaws {
		kinds = append(kinds, fmt.Sprintf("%s %d [%d,%d)", flaw.Kind, flaw.Partition, flaw.From, flaw.Until))
	}
	return kinds
}

func (f *fixture) ledger(s *store.Store) *store.Ledger {
	f.Helper()
	v, err := s.Verify(f.Context())
	f.must(err)
	defer v.Close()
	l, err := v.Ledger(f.Context(), "t")
	f.must(err)
	return l
}

// TestLedgerFlaws tampers with a ledger that proves all, in one way at a time.
func TestLedgerFlaws(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	claims := f.claims(s, 2)
	for i := range claims {
		for at := int64(0); at < 30; at += 10 {
			f.must(s.Apply(t.Context(), 0, f.batch(from(&claims[i], at, at+10))))
		}
	}
	if kinds := f.kinds(s); len(kinds) > 0 {
		t.Fatalf("an untouched ledger has flaws: %v", kinds)
	}
	f.exec(`ALTER TABLE sinkd.batches DROP CONSTRAINT batches_check1`)
	f.exec(`CREATE SCHEMA kept`)
	tables := []string{"batches", "offsets", "partitions", "dead_letters", "operations"}
	for _, table := range tables {
		f.exec(`CREATE TABLE kept.` + table + ` AS TABLE sinkd.` + table)
	}
	letter := `INSERT INTO sinkd.dead_letters (pipeline, topic, partition, record_offset, stage, reason) VALUES ('p', 't', 1, 12, 'decode', '')`
	dead := `UPDATE sinkd.batches SET dead = 1, rows = 9 WHERE partition = 1 AND from_offset = 10`
	for _, test := range []struct {
		name string
		sql  []string
		want []string
	}{
		{"a range is missing", []string{`DELETE FROM sinkd.batches WHERE partition = 1 AND from_offset = 10`}, []string{"gap 1 [10,20)"}},
		{"the first is missing", []string{`DELETE FROM sinkd.batches WHERE partition = 0 AND from_offset = 0`}, []string{"gap 0 [0,10)"}},
		{"the last is missing", []string{`DELETE FROM sinkd.batches WHERE partition = 0 AND from_offset = 20`}, []string{"gap 0 [20,30)"}},
		{"all are missing", []string{`DELETE FROM sinkd.batches WHERE partition = 0`}, []string{"gap 0 [0,30)"}},
		{
			"a range holds another",
			[]string{`UPDATE sinkd.batches SET until_offset = 25 WHERE partition = 0 AND from_offset = 0`},
			[]string{"overlap 0 [10,20)", "overlap 0 [20,25)"},
		},
		{"the position is ahead", []string{`UPDATE sinkd.offsets SET next_offset = 31 WHERE partition = 1`}, []string{"gap 1 [30,31)"}},
		{"the position is behind", []string{`UPDATE sinkd.offsets SET next_offset = 29 WHERE partition = 1`}, []string{"position 1 [29,30)"}},
		{"the position is gone", []string{`DELETE FROM sinkd.offsets WHERE partition = 1`}, []string{"position 1 [0,0)"}},
		{"the start is later", []string{`UPDATE sinkd.partitions SET start_offset = 5 WHERE partition = 1`}, []string{"start 1 [0,5)"}},
		{"the start is not known", []string{`UPDATE sinkd.partitions SET start_offset = NULL WHERE partition = 1`}, []string{"start 1 [0,30)"}},
		{
			"a newer generation",
			[]string{`UPDATE sinkd.batches SET generation = 2 WHERE partition = 0 AND from_offset = 20`},
			[]string{"gap 0 [20,30)", "position 0 [20,30)"},
		},
		{"counts do not add up", []string{`UPDATE sinkd.batches SET rows = 9 WHERE partition = 0 AND from_offset = 20`}, []string{"counts 0 [20,30)"}},
		{
			"more records than offsets",
			[]string{`UPDATE sinkd.batches SET rows = 11, records = 11 WHERE partition = 0 AND from_offset = 20`},
			[]string{"counts 0 [20,30)"},
		},
		{"records were passed over", []string{`UPDATE sinkd.batches SET kind = 'skip' WHERE partition = 0 AND from_offset = 20`}, []string{"counts 0 [20,30)"}},
		{"a merged range", []string{`UPDATE sinkd.batches SET kind = 'merged' WHERE partition = 0 AND from_offset = 20`}, []string{}},
		{"a letter is missing", []string{dead}, []string{"dead-letters 1 [10,20)"}},
		{"a letter that is not counted", []string{letter}, []string{"dead-letters 1 [10,20)"}},
		{"a letter", []string{dead, letter}, []string{}},
		{"a discarded letter", []string{dead, `INSERT INTO sinkd.operations (pipeline, topic, operation, detail, operator)
			VALUES ('p', 't', 'dead-letters discard', '', 'ann')`}, []string{}},
		{"one of another topic", []string{dead, `INSERT INTO sinkd.operations (pipeline, topic, operation, detail, operator)
			VALUES ('p', 'u', 'dead-letters discard', '', 'ann')`}, []string{"dead-letters 1 [10,20)"}},
	} {
		for _, sql := range test.sql {
			f.exec(sql)
		}
		if kinds := f.kinds(s); !slices.Equal(kinds, test.want) {
			t.Errorf("%s: %v, want %v", test.name, kinds, test.want)
		}
		for _, table := range tables {
			f.exec(`DELETE FROM sinkd.` + table)
			if table != "operations" {
				f.exec(`INSERT INTO sinkd.` + table + ` TABLE kept.` + table)
			}
		}
	}
}

// TestLedgerSums counts what became of the records, generation by generation.
func TestLedgerSums(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	b := f.batch(from(c, 0, 10))
	f.must(s.Apply(t.Context(), 0, b))
	f.exec(`UPDATE sinkd.offsets SET generation = 2, next_offset = 100`)
	f.exec(`UPDATE sinkd.partitions SET start_offset = 100`)
	c = f.claim(s)
	f.must(s.Apply(t.Context(), 0, f.batch(from(c, 100, 105))))
	f.must(s.Apply(t.Context(), 0, f.batch(sinkd.Range{Claim: c, From: 105, Until: 107})))
	want := store.PartitionLedger{Topic: "t", Generation: 2, Start: 100, Position: 107, Ranges: 2, Records: 5, Rows: 5}
	if l := f.ledger(s); len(l.Flaws) > 0 || len(l.Partitions) != 1 || l.Partitions[0] != want {
		t.Errorf("%+v, want %+v", l, want)
	}
}
