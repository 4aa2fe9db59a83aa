package store_test

import (
	"testing"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// drift is a change of a table, "a int" being its columns beside the key k.
type drift struct {
	name, was, change, log string
	// lands tells that what was encoded still fits, keyed that it does where
	// rows enter without a key.
	lands, keyed bool
}

// drifts are changes of a table while rows are on their way that were encoded
// for what it was.
var drifts = []drift{
	{name: "a type of the same width", was: `a bigint`, change: `ALTER TABLE target ALTER a TYPE double precision`, log: "a=7"},
	{name: "a wider type", was: `a int`, change: `ALTER TABLE target ALTER a TYPE bigint`, log: "a=7"},
	{name: "a narrower type", was: `a bigint`, change: `ALTER TABLE target ALTER a TYPE int`, log: "a=7"},
	{name: "text to jsonb", was: `a text`, change: `ALTER TABLE target ALTER a TYPE jsonb USING NULL`, log: "a=7"},
	{name: "text to numeric", was: `a text`, change: `ALTER TABLE target ALTER a TYPE numeric USING NULL`, log: "a=7777777777"},
	{name: "a longer varchar", was: `a varchar(3)`, change: `ALTER TABLE target ALTER a TYPE varchar(9)`, log: "a=abc"},
	{name: "a domain", was: `a bigint`, change: `CREATE DOMAIN few AS double precision; ALTER TABLE target ALTER a TYPE few`, log: "a=7"},
	{name: "null allowed", was: `a int NOT NULL`, change: `ALTER TABLE target ALTER a DROP NOT NULL`, log: "a=7"},
	{name: "a column dropped", was: `a int`, change: `ALTER TABLE target DROP a`, log: "a=7"},
	{name: "a column renamed", was: `a int`, change: `ALTER TABLE target RENAME a TO b`, log: "a=7"},
	{name: "a required column added", was: `a int`, change: `ALTER TABLE target ADD b int NOT NULL`, log: "a=7"},
	{name: "a column added", was: `a int`, change: `ALTER TABLE target ADD b int`, log: "a=7", lands: true},
	{name: "made again", was: `a int`, change: `DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a int)`, log: "a=7"},
	{name: "the key's index dropped", was: `a int`, change: `ALTER TABLE target DROP CONSTRAINT target_pkey, ALTER k SET NOT NULL`, log: "a=7", keyed: true},
	{name: "another index in the place of the key's", was: `a int`, change: `CREATE UNIQUE INDEX ON target (k, a); ALTER TABLE target DROP CONSTRAINT target_pkey, ALTER k SET NOT NULL`, log: "a=7", keyed: true},
	{name: "the key's index made again", was: `a int`, change: `ALTER TABLE target DROP CONSTRAINT target_pkey, ADD UNIQUE (k), ALTER k SET NOT NULL`, log: "a=7", lands: true},
	{name: "swapped", was: `a int`, change: `ALTER TABLE target RENAME TO before; CREATE TABLE target (k bigint PRIMARY KEY, a real)`, log: "a=7"},
	{name: "a default, a comment, an index", was: `a int`, change: `ALTER TABLE target ALTER a SET DEFAULT 5; COMMENT ON COLUMN target.a IS 'c'; CREATE INDEX ON target (a)`, log: "a=7", lands: true},
}

// Rows that were encoded for another table neither land nor are blamed: a
// binary COPY carries no types.
func TestTableChanges(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	for _, d := range drifts {
		for name, mode := range map[string]sinkd.Mode{"direct": sinkd.Append, "tried": sinkd.Ignore, "staged": sinkd.Upsert} {
			t.Run(d.name+", "+name, func(t *testing.T) {
				f := *f
				f.TB = t
				d.run(&f, s, mode)
			})
		}
	}
}

func (d *drift) run(f *fixture, s *store.Store, mode sinkd.Mode) {
	f.exec(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE target (k bigint PRIMARY KEY, ` + d.was + `)`)
	g := f.target(s, keyed("target", mode), 1)
	log := "0 w k=1 " + d.log
	if mode == sinkd.Upsert {
		log = "0 d k=9; " + log
	}
	f.exec(d.change)
	err := s.Apply(f.Context(), 0, g.batch(eventsOf(log)))
	if d.lands || d.keyed && mode == sinkd.Append {
		f.must(err)
		return
	}
	if e := f.class(err, sinkd.Schema); e.Table != "public.target" || e.Topic != "t" {
		f.Errorf("%+v", e)
	}
	if n := one[int](f, `SELECT count(*) FROM target`); n > 0 {
		f.Errorf("landed: %s", g.rows())
	}
}
