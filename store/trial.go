package store

import (
	"slices"

	"github.com/sinkd/sinkd"
)

// maxWait is how many batches are merged at most between two trials.
const maxWait = 256

// trial is a table with a key that rows may enter by COPY for as long as their
// keys are new, which is quicker than merging them: those that hold another are
// merged after all, and trials get rarer. Rows that stand for several records of
// their key have a trial of their own: where a few keys come again and again,
// all others may still be new.
type trial struct {
	// wait is how many batches are merged after the next one that fails, left
	// how many of them there are before the next trial.
	wait, left int
}

// trialKey is a table, by its OID, and a kind of rows.
type trialKey struct {
	table    uint32
	repeated bool
}

// choose decides which loads try to go straight into their tables. Where one of
// them is merged as a whole its rows stay together, in the order of their keys,
// so that lanes lock them in one order.
func (l *lane) choose(loads []*load) []*load {
	var chosen []*load
	parts := 0
	for _, ld := range loads {
		if ld.appends() || !ld.plain() {
			chosen = append(chosen, ld)
			continue
		}
		if ld.eager = l.trial(ld).left == 0; ld.eager {
			if repeated := ld.part(l.parted(parts)); repeated != nil {
				if l.parts[parts] = ld.rows[0].Buf; cap(l.parts[parts]) > maxSpare {
					l.parts[parts] = nil
				}
				parts++
				repeated.eager = l.trial(repeated).left == 0
				chosen = append(chosen, repeated) // whose trial fails sooner, if it does
			}
		}
		chosen = append(chosen, ld)
	}
	return chosen
}

// part takes the rows that stand for several records out of the load, where it
// has others, which are written anew into spare. It is nil where there is nothing
// to take.
func (ld *load) part(spare []byte) *load {
	all := ld.rows[0]
	if len(ld.rows) > 1 || len(all.Repeated) == 0 || len(all.Repeated) == len(all.Row) {
		return nil
	}
	repeated, rest := *all, *all
	repeated.Buf, repeated.Row, repeated.Repeated = slices.Clone(all.Buf[:all.Row[0].Start]), nil, nil
	rest.Buf, rest.Row, rest.Repeated = append(spare, all.Buf[:all.Row[0].Start]...), nil, nil
	next := all.Repeated
	for n, row := range all.Row {
		to := &rest
		if len(next) > 0 && int(next[0]) == n {
			to, next = &repeated, next[1:]
		}
		start := row.Start
		row.Start = len(to.Buf)
		to.Row, to.Buf = append(to.Row, row), append(to.Buf, all.Buf[start:rowEnd(all, n)]...)
	}
	end := all.Buf[len(all.Buf)-trailerSize:]
	repeated.Buf, rest.Buf = append(repeated.Buf, end...), append(rest.Buf, end...)
	other := *ld
	other.rows, other.repeated = []*sinkd.Rows{&repeated}, true
	ld.rows = []*sinkd.Rows{&rest}
	return &other
}

// parted gives an empty buffer for the stream of the n-th load of a batch that
// parts.
func (l *lane) parted(n int) []byte {
	if n == len(l.parts) {
		l.parts = append(l.parts, nil)
	}
	return l.parts[n][:0]
}

// chosen notes a batch that has landed.
func (l *lane) chosen(loads []*load) {
	for _, ld := range loads {
		if ld.appends() || !ld.plain() {
			continue
		}
		switch tr := l.trial(ld); {
		case ld.eager:
			tr.wait = 0
		case tr.left > 0:
			tr.left--
		}
	}
}

// postpone lets the load be merged, whose keys the table has, and the next
// trial wait.
func (l *lane) postpone(ld *load) {
	tr := l.trial(ld)
	tr.fail()
	tr.left++ // the batch at hand
}

// fail lets the next trial wait longer.
func (tr *trial) fail() {
	tr.wait = min(max(1, 2*tr.wait), maxWait)
	tr.left = tr.wait
}

func (l *lane) trial(ld *load) *trial { return trialOf(&l.trials, trialKey{ld.table.OID, ld.repeated}) }

// trialOf gives the trial of a key.
func trialOf(trials *map[trialKey]*trial, k trialKey) *trial {
	if *trials == nil {
		*trials = make(map[trialKey]*trial)
	}
	tr := (*trials)[k]
	if tr == nil {
		tr = &trial{}
		(*trials)[k] = tr
	}
	return tr
}
