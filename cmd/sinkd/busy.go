package main

import (
	"fmt"
	"sync"
	"time"
)

// tick is how often somebody who waits is told what for.
const tick = 2 * time.Second

// wait is what a command waits for, told on the standard error.
type wait struct {
	mu   sync.Mutex
	what func() string
}

// set changes what is told, nil for nothing, and gives what was told before.
func (w *wait) set(what func() string) (before func() string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before, w.what = w.what, what
	return before
}

func (w *wait) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.what == nil {
		return ""
	}
	return w.what()
}

// telling tells every two seconds what takes its time, until stop is called.
func (p *program) telling() (stop func()) {
	p.wait.set(func() string { return "waiting for an answer ..." })
	quit := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		again := time.NewTicker(tick)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				if text := p.wait.text(); text != "" {
					_, _ = fmt.Fprintln(p.stderr, text)
				}
			case <-quit:
				return
			}
		}
	})
	return func() { close(quit); telling.Wait() }
}

// busy says what takes its time until done is called.
func (p *program) busy(what func() string) (done func()) {
	before := p.wait.set(what)
	return func() { p.wait.set(before) }
}

// at says in fixed words what takes its time until done is called.
func (p *program) at(work string) (done func()) {
	return p.busy(func() string { return work + " ..." })
}

// quiet tells nothing until done is called.
func (p *program) quiet() (done func()) { return p.busy(nil) }
