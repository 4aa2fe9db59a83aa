package store_test

import (
	"testing"

	"github.com/sinkd/sinkd"
)

// The record that a merge was refused for is named where its row has all that is
// checked, as the place to split at.
func TestLocate(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	for _, test := range []struct {
		name, log string
		named     bool
	}{
		{name: "check", log: "0 d k=9; 0 w k=1 a=x b=x; 0 w k=2 a=bad b=x; 0 w k=3 a=x b=x", named: true},
		{name: "a list that lacks columns", log: "0 d k=9; 0 w k=1 a=x b=x; 0 w k=2 a=bad; 0 w k=3 a=x b=x"},
		{name: "among lists that lack columns", log: "0 d k=9; 0 w k=1 a=x; 0 w k=2 a=bad b=x; 0 w k=3 a=x", named: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := *f
			f.TB = t
			f.exec(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE target (k bigint PRIMARY KEY, a text CHECK (a <> 'bad'), b text)`)
			g := f.target(s, keyed("target", sinkd.Upsert), 1)
			b := g.batch(eventsOf(test.log))
			e := f.class(s.Apply(f.Context(), 0, b), sinkd.Data)
			if test.named != (e.Record != nil) || test.named && e.Record.Offset != b.Ranges[0].Records.Offset(2) || e.Certain {
				t.Errorf("record %v", e.Record)
			}
		})
	}
}
