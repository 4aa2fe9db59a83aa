package store_test

import (
	"testing"

	"github.com/sinkd/sinkd"
)

// A session that ends while the first try is rolled back, which met keys that
// the table has, costs a try and nothing else.
func TestSessionLostBetweenTrialAndMerge(t *testing.T) {
	f := setup(t)
	f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text); INSERT INTO target VALUES (1, 'x')`)
	proxy := f.proxied()
	g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
	b := g.batch(eventsOf("0 w k=1 a=y; 0 w k=2 a=y"))
	fault := proxy.CutBefore("ROLLBACK", 1)
	f.class(g.store.Apply(f.Context(), 0, b), sinkd.Transient)
	f.must(fault.Wait(f.Context()))
	f.must(g.store.Apply(f.Context(), 0, b))
	if rows := g.rows(); rows != "(1,y) (2,y)" {
		t.Errorf("rows %s", rows)
	}
}
