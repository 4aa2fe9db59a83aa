package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sinkd/sinkd"
)

func TestLanesTakeTurnsForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns turns
		both := []string{"public.a", "public.b"}
		deadlock := &sinkd.Error{SQLState: deadlockDetected}
		turns.note(both, deadlock)
		turns.note(both, &sinkd.Error{SQLState: "40001"})
		turns.note(both, nil)
		time.Sleep(turnsFor - time.Second)
		turns.note(both, deadlock)
		free(t, &turns, both, true)
		if begun := turns.note(both[:1], deadlock); len(begun) != 1 || begun[0] != "public.a" {
			t.Errorf("turns begin at %v", begun)
		}
		free(t, &turns, both[1:], true)
		free(t, &turns, both, false)
		time.Sleep(turnsFor + time.Second)
		free(t, &turns, both, true)
		turns.note(both, deadlock)
		turns.note(both, deadlock)
		free(t, &turns, both, true)
	})
}

// free checks whether two lanes may write the tables at the same time, and that
// a turn that is given up is another's.
func free(t *testing.T, turns *turns, tables []string, want bool) {
	t.Helper()
	first, err := turns.take(t.Context(), tables)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	second, err := turns.take(ctx, tables)
	if (err == nil) != want || !want && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v: %v, want free %v", tables, err, want)
	}
	if err == nil {
		second()
	}
	first()
	third, err := turns.take(t.Context(), tables)
	if err != nil {
		t.Fatal(err)
	}
	third()
}
