package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
)

// TestSignals is not parallel: signals are the whole process's.
func TestSignals(t *testing.T) {
	drain, abort, stop := signals(t.Context())
	defer stop()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-drain.Done()
	if abort.Err() != nil || aborted(abort) != nil {
		t.Fatal("the first signal aborts")
	}
	if err := self.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-abort.Done()
	if !errors.Is(context.Cause(abort), errAborted) || exitCode(aborted(abort)) != exitFailed {
		t.Errorf("the second signal gives %v", context.Cause(abort))
	}
}
