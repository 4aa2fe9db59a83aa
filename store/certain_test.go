package store_test

import (
	"strings"
	"testing"

	"github.com/sinkd/sinkd"
)

// A record is certain to be refused alone as well where a check or a value is
// to blame, and not where what stands around it may be.
func TestRefusalsThatAreCertain(t *testing.T) {
	for name, c := range map[string]struct {
		ddl     string
		certain bool
	}{
		"check":          {`CHECK (k <> 4)`, true},
		"not null":       {`CHECK (true)); ALTER TABLE refusing ALTER note SET NOT NULL; ALTER TABLE refusing ADD CHECK (k <> 4`, true},
		"function":       {`CHECK (picky(k))`, false},
		"unique":         {`UNIQUE (k)); INSERT INTO refusing VALUES (4, ''`, false},
		"trigger before": {`CHECK (k <> 4)); CREATE TRIGGER t BEFORE INSERT ON refusing FOR EACH ROW EXECUTE FUNCTION same(`, false},
		"trigger after":  {`CHECK (k <> 4)); CREATE TRIGGER t AFTER INSERT ON refusing FOR EACH ROW EXECUTE FUNCTION same(`, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			f.exec(`CREATE FUNCTION picky(k bigint) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RETURN 1 / (k - 4) <> 7; END $$;
				CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$`)
			f.exec(`CREATE TABLE refusing (k bigint, note text, ` + c.ddl + `)`)
			s := f.pinned(1)
			var err error
			f.table, err = s.Table(f.Context(), &sinkd.Route{Schema: "public", Name: "refusing"}, "t")
			f.must(err)
			b := f.batch(from(f.claim(s), 0, 10))
			e := f.class(s.Apply(f.Context(), 0, b), sinkd.Data)
			if e.Certain != c.certain || e.Record == nil || e.Record.Offset != 4 {
				t.Fatalf("certain %v of %+v: %v", e.Certain, e.Record, e)
			}
			if b.Bury(sinkd.DeadLetter{Record: e.Record, Stage: "write", Reason: e.Err.Error(), SQLState: e.SQLState}) == 0 {
				t.Fatal("the record has no row")
			}
			f.must(s.Apply(f.Context(), 0, b))
			got := one[string](f, `SELECT string_agg(k::text, ' ' ORDER BY k) FROM refusing WHERE note <> ''`) + ", " +
				one[string](f, `SELECT string_agg(concat_ws(' ', records, rows, dead), ', ') FROM sinkd.batches`) + ", " +
				one[string](f, `SELECT string_agg(record_offset::text, ' ') FROM sinkd.dead_letters`)
			if want := "0 1 2 3 5 6 7 8 9, 10 9 1, 4"; !strings.HasPrefix(got, want) {
				t.Errorf("landed %s, want %s", got, want)
			}
		})
	}
}
