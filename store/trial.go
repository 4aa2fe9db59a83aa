package store

import "github.com/sinkd/sinkd"

// maxWait is how many batches go the slower way at most between two trials.
const maxWait = 256

// trial is a quicker way for rows into a table with a key, which is taken in the
// hope that the table has none of the keys (COPY), or that nobody else writes one
// of them meanwhile (MERGE). Where it has, or somebody does, the batch goes the
// slower way after all, and trials get rarer. Rows that stand for several records
// of their key have a trial of their own: where a few keys come again and again,
// all others may still be new.
type trial struct {
	// wait is how many batches go the slower way after the next one that fails,
	// left how many of them there are before the next trial.
	wait, left int
}

// trialKey is a table, by its OID, a kind of rows, and whether they are merged.
type trialKey struct {
	table           uint32
	repeated, merge bool
}

// choose decides which loads try to go straight into their tables, and which to
// be merged. Of one that goes straight, the rows that stand for several records
// part, and come first: their trial fails sooner, if it does. The rows of one that
// is merged stay together, in the order of their keys, so that lanes lock them in
// one order.
func (l *lane) choose(loads []*load) []*load {
	var chosen []*load
	parts := 0
	for _, ld := range loads {
		ld.mayMerge = !ld.appends() && l.merging(ld).left == 0
		ld.eager = ld.tries() && l.trial(ld).left == 0
		if ld.eager && ld.parts() {
			repeated := ld.part(l.buffer(parts))
			l.keep(parts, ld.rows[0].Buf)
			parts++
			repeated.eager = l.trial(repeated).left == 0
			chosen = append(chosen, repeated)
		}
		chosen = append(chosen, ld)
	}
	return chosen
}

// tries tells that the load's rows have a key, and COPY could write them.
func (ld *load) tries() bool { return !ld.appends() && ld.plain() }

// parts tells that some of the load's rows stand for several records, and others
// do not.
func (ld *load) parts() bool {
	all := ld.rows[0]
	return len(ld.rows) == 1 && len(all.Repeated) > 0 && len(all.Repeated) < len(all.Row)
}

// part takes the rows that stand for several records out of the load; the others
// are written anew into spare.
func (ld *load) part(spare []byte) *load {
	repeated, others := ld.rows[0].Part(spare)
	other := *ld
	other.rows, other.repeated = []*sinkd.Rows{repeated}, true
	ld.rows = []*sinkd.Rows{others}
	return &other
}

// buffer gives an empty buffer for the n-th load of a batch that parts.
func (l *lane) buffer(n int) []byte {
	if n == len(l.buffers) {
		l.buffers = append(l.buffers, nil)
	}
	return l.buffers[n][:0]
}

// keep keeps the n-th buffer for the next batch, unless it has grown too large.
func (l *lane) keep(n int, buf []byte) {
	if cap(buf) > maxSpare {
		buf = nil
	}
	l.buffers[n] = buf
}

// chosen notes a batch that has landed.
func (l *lane) chosen(loads []*load) {
	for _, ld := range loads {
		switch {
		case ld.appends():
		case ld.eager:
			l.trial(ld).wait = 0
		case ld.merged:
			l.merging(ld).wait = 0
		case !ld.mayMerge:
			l.merging(ld).pass()
		}
		if ld.tries() && !ld.eager {
			l.trial(ld).pass()
		}
	}
}

// postpone has the load go the slower way, because the table has its keys or
// somebody else wrote one, and the next trial wait.
func (l *lane) postpone(ld *load) {
	tr := l.merging(ld)
	if ld.eager {
		tr = l.trial(ld)
	}
	tr.fail()
	tr.left++ // the batch at hand
}

// pass notes a batch that went the slower way.
func (tr *trial) pass() { tr.left = max(tr.left-1, 0) }

// fail lets the next trial wait longer.
func (tr *trial) fail() {
	tr.wait = min(max(1, 2*tr.wait), maxWait)
	tr.left = tr.wait
}

// trial is that of a load's COPY, merging that of its MERGE.
func (l *lane) trial(ld *load) *trial {
	return trialOf(&l.trials, trialKey{table: ld.table.OID, repeated: ld.repeated})
}

func (l *lane) merging(ld *load) *trial {
	return trialOf(&l.trials, trialKey{table: ld.table.OID, merge: true})
}

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
