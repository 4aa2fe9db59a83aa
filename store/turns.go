package store

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/sinkd/sinkd"
)

const (
	// turnsAfter is how many deadlocks on a table make its lanes take turns.
	turnsAfter = 3
	// turnsFor is how long they do, from the last deadlock on.
	turnsFor = 5 * time.Minute
)

// turns lets the lanes write a table one after the other once they deadlocked
// on it: rows that lock each other crosswise, by their order or by what triggers
// do, would go on doing so, and each deadlock costs a batch and deadlock_timeout.
// A turn is taken before BEGIN, so nothing is waited for while position rows are
// locked.
type turns struct {
	mu     sync.Mutex
	tables map[string]*turn
}

// turn is one table's.
type turn struct {
	deadlocks int
	last      time.Time
	// busy holds a token while a lane has its turn.
	busy chan struct{}
}

// take waits for the turns at those of the tables, in order, where lanes take
// turns; release gives them up.
func (t *turns) take(ctx context.Context, tables []string) (release func(), err error) {
	var mine []*turn
	release = func() {
		for _, one := range mine {
			<-one.busy
		}
	}
	for _, table := range tables {
		one := t.active(table)
		if one == nil {
			continue
		}
		select {
		case one.busy <- struct{}{}:
			mine = append(mine, one)
		case <-ctx.Done():
			release()
			return nil, context.Cause(ctx)
		}
	}
	return release, nil
}

// active gives the table's turn, nil where its lanes take none.
func (t *turns) active(table string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.tables[table]
	if one == nil || one.deadlocks < turnsAfter || time.Since(one.last) > turnsFor {
		return nil
	}
	return one
}

// note counts a deadlock, which names no table, for all of a batch's. It answers
// those whose lanes take turns from now on.
func (t *turns) note(tables []string, err error) (begun []string) {
	e, ok := errors.AsType[*sinkd.Error](err)
	if !ok || e.SQLState != deadlockDetected {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, table := range tables {
		one := t.tables[table]
		if one == nil {
			one = &turn{busy: make(chan struct{}, 1)}
			if t.tables == nil {
				t.tables = make(map[string]*turn)
			}
			t.tables[table] = one
		}
		if time.Since(one.last) > turnsFor {
			one.deadlocks = 0
		}
		one.deadlocks++
		one.last = time.Now()
		if one.deadlocks == turnsAfter {
			begun = append(begun, table)
		}
	}
	return begun
}

// applyInTurn applies the batch on a lane, after the lanes before it where they
// take turns.
func (s *Store) applyInTurn(ctx context.Context, l *lane, b *sinkd.Batch) error {
	tables := tablesOf(b)
	release, err := s.turns.take(ctx, tables)
	if err != nil {
		return Classify(err)
	}
	defer release()
	err = l.apply(ctx, b)
	for _, table := range s.turns.note(tables, err) {
		s.cfg.Logger.Warn("lanes deadlock on a table; they take turns for a while",
			slog.String("table", table), slog.Duration("for", turnsFor))
	}
	return err
}

// tablesOf names the tables that the batch writes, each once, in order: turns at
// several are taken in the same order by all.
func tablesOf(b *sinkd.Batch) []string {
	names := make([]string, 0, len(b.Rows))
	for i := range b.Rows {
		names = append(names, b.Rows[i].Table.String())
	}
	slices.Sort(names)
	return slices.Compact(names)
}
