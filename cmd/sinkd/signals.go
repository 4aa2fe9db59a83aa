package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// signals gives two contexts: the first SIGTERM or SIGINT ends drain, the
// second one ends abort. stop lets go of the signals.
func signals(parent context.Context) (drain, abort context.Context, stop func()) {
	heard := make(chan os.Signal, 2)
	signal.Notify(heard, syscall.SIGTERM, syscall.SIGINT)
	drain, abort, ignore := twoSteps(parent, heard)
	return drain, abort, func() {
		signal.Stop(heard)
		ignore()
	}
}

// twoSteps ends drain at the first thing heard, and abort at the second.
func twoSteps(parent context.Context, heard <-chan os.Signal) (drain, abort context.Context, ignore func()) {
	abort, cancelAbort := context.WithCancelCause(parent)
	drain, cancelDrain := context.WithCancel(abort)
	done := make(chan struct{})
	var listening sync.WaitGroup
	listening.Go(func() {
		for _, end := range []func(){cancelDrain, func() { cancelAbort(errAborted) }} {
			select {
			case <-heard:
				end()
			case <-done:
				return
			}
		}
	})
	return drain, abort, func() {
		close(done)
		listening.Wait()
		cancelAbort(nil)
	}
}
