package main

import (
	"context"
	"errors"
	"os"
	"testing"
)

func TestTwoSteps(t *testing.T) {
	t.Parallel()
	heard := make(chan os.Signal)
	drain, abort, ignore := twoSteps(t.Context(), heard)
	defer ignore()
	heard <- os.Interrupt
	<-drain.Done()
	if abort.Err() != nil || aborted(abort) != nil {
		t.Fatal("the first signal aborts")
	}
	heard <- os.Interrupt
	<-abort.Done()
	if !errors.Is(context.Cause(abort), errAborted) || exitCode(aborted(abort)) != exitFailed {
		t.Errorf("the second signal gives %v", context.Cause(abort))
	}
}
