package store

import "github.com/sinkd/sinkd"

// maxWait is how many batches are merged at most between two trials.
const maxWait = 256

// trial is a table with a key that batches may enter by COPY for as long as
// they hold new keys only, which is quicker than merging them: a batch that
// holds another is merged after all, and trials get rarer.
type trial struct {
	// wait is how many batches are merged after the next one that fails, left
	// how many of them there are before the next trial.
	wait, left int
}

// choose decides which loads try to go straight into their tables.
func (l *lane) choose(loads []*load) {
	for _, ld := range loads {
		if ld.appends() || !ld.plain() {
			continue
		}
		tr := l.trial(ld.table)
		ld.eager = tr.left == 0
	}
}

// chosen notes a batch that has landed.
func (l *lane) chosen(loads []*load) {
	for _, ld := range loads {
		if ld.appends() || !ld.plain() {
			continue
		}
		switch tr := l.trial(ld.table); {
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
	tr := l.trial(ld.table)
	tr.fail()
	tr.left++ // the batch at hand
	ld.eager = false
}

// fail lets the next trial wait longer.
func (tr *trial) fail() {
	tr.wait = min(max(1, 2*tr.wait), maxWait)
	tr.left = tr.wait
}

func (l *lane) trial(t *sinkd.Table) *trial { return trialOf(&l.trials, t) }

// trialOf gives the table's trial.
func trialOf(trials *map[uint32]*trial, t *sinkd.Table) *trial {
	if *trials == nil {
		*trials = make(map[uint32]*trial)
	}
	tr := (*trials)[t.OID]
	if tr == nil {
		tr = &trial{}
		(*trials)[t.OID] = tr
	}
	return tr
}
