package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a process that is measured from its start to its end.
type child struct {
	cmd     *exec.Cmd
	log     string
	started time.Time

	done  chan struct{} // closed when all below is known
	wall  time.Duration
	cpu   time.Duration // user and system, of all its threads
	sys   time.Duration // the system's part of it
	peak  int64         // bytes of resident memory
	err   error
	watch sync.WaitGroup
}

// startChild starts a program with nothing in its environment but what is
// given and what every program needs. It is killed when ctx ends.
func (b *bench) startChild(ctx context.Context, env []string, path string, args ...string) (*child, error) {
	b.runs++
	log, err := os.Create(b.path(fmt.Sprintf("%s-%d.log", filepath.Base(path), b.runs)))
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, path, args...), log: log.Name(), done: make(chan struct{})}
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = b.lab.Dir(), log, log
	c.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	c.cmd.SysProcAttr = sysProcAttr()
	started := make(chan error)
	go c.run(log, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(path), err)
	}
	return c, nil
}

// run starts the process and waits for it, on one thread: the kernel ties the
// death signal to the thread that forked.
func (c *child) run(log *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer close(c.done)
	defer log.Close()
	c.started = time.Now()
	if err := c.cmd.Start(); err != nil {
		started <- err
		return
	}
	ended := make(chan struct{})
	c.watch.Go(func() { c.watchMemory(ended) })
	started <- nil
	c.err = c.cmd.Wait()
	c.wall = time.Since(c.started)
	close(ended)
	c.watch.Wait()
	state := c.cmd.ProcessState
	c.sys = state.SystemTime()
	c.cpu = state.UserTime() + c.sys
}

// watchMemory reads the high-water mark until the process ends: what it may
// gain in the last instant is missed, and nothing else.
func (c *child) watchMemory(ended <-chan struct{}) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		c.peak = max(c.peak, highWater(c.cmd.Process.Pid))
		select {
		case <-ended:
			return
		case <-tick.C:
		}
	}
}

// wait waits for the end, which has to be a good one.
func (c *child) wait() error {
	<-c.done
	if c.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w; it wrote:\n%s", filepath.Base(c.cmd.Path), c.err, c.tail())
}

// stop asks the process to end and waits for it.
func (c *child) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	return c.wait()
}

// tail gives the last lines of the output.
func (c *child) tail() string {
	b, _ := os.ReadFile(c.log)
	lines := strings.Split(string(bytes.TrimSpace(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
