package integration_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
)

// What the comparison with a fold of the log can be told:
//
//	go test ./integration -run TestTablesAreFoldsOfTheLog -fold-cases 20000 -fold-seed 7
//
// With -fold-case only that case of the seed is run.
var (
	foldCases = flag.Int("fold-cases", 2000, "cases of the comparison with a fold of the log")
	foldSeed  = flag.Uint64("fold-seed", 0, "seed of the cases, 0 = a new one")
	foldCase  = flag.Int("fold-case", -1, "run only this case of the seed")
)

// foldWriters write cases of their own into databases of their own.
const foldWriters = 16

// foldRenewal is after how many cases a writer gets new sessions: the temporary
// tables of all the lists of columns that there were are emptied at each COMMIT.
const foldRenewal = 12

// TestTablesAreFoldsOfTheLog writes random logs by encoder and store, in random
// batches and lanes, and compares the tables with what a fold of the log,
// record by record, makes of them; ledger and dead letters as well.
func TestTablesAreFoldsOfTheLog(t *testing.T) {
	t.Parallel()
	seed := *foldSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("%d cases, seed %d; replay them by -run TestTablesAreFoldsOfTheLog -fold-cases %d -fold-seed %d",
		*foldCases, seed, *foldCases, seed)
	if *foldCase >= 0 {
		newFoldWriter(t, *foldCase%foldWriters).run(seed, *foldCase)
		return
	}
	for first := range foldWriters {
		t.Run(fmt.Sprint("writer ", first), func(t *testing.T) {
			t.Parallel()
			w := newFoldWriter(t, first)
			for n := first; n < *foldCases && !t.Failed(); n += foldWriters {
				if n/foldWriters%foldRenewal == foldRenewal-1 {
					w.open()
				}
				w.run(seed, n)
			}
		})
	}
}

// run runs one case.
func (w *foldWriter) run(seed uint64, n int) {
	w.t.Helper()
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	c := drawFold(r, w.tables, w.next)
	w.clear(c)
	if err := w.write(r, c); err != nil {
		w.t.Errorf("case %d: %v\n%s", n, err, c.describe())
		return
	}
	for _, finding := range w.compare(c) {
		w.t.Errorf("case %d: %s", n, finding)
	}
	if w.t.Failed() {
		w.t.Logf("case %d, replay it by -fold-seed %d -fold-case %d\n%s", n, seed, n, c.describe())
	}
}
