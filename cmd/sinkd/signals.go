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
	abort, cancelAbort := context.WithCancelCause(parent)
	drain, cancelDrain := context.WithCancel(abort)
	heard := make(chan os.Signal, 2)
	signal.Notify(heard, syscall.SIGTERM, syscall.SIGINT)
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
		signal.Stop(heard)
		close(done)
		listening.Wait()
		cancelDrain()
		cancelAbort(nil)
	}
}
