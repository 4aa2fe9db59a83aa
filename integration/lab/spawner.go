package lab

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// spawner starts all processes from one thread. The kernel ties Pdeathsig to
// the thread that forked: started from an ordinary goroutine, a server would be
// killed as soon as the Go runtime lets that thread go.
type spawner struct {
	jobs chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func()), done: make(chan struct{})}
	go s.loop()
	return s
}

func (s *spawner) loop() {
	defer close(s.done)
	runtime.LockOSThread() // never unlocked: the thread ends with the loop
	for job := range s.jobs {
		job()
	}
}

// close ends the thread, and by that whatever it started that still runs and
// does not outlive.
func (s *spawner) close() {
	close(s.jobs)
	<-s.done
}

// environ is the environment without the lab's own variables, which sinkd would
// refuse as unknown ones.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "SINKD_LAB_")
	})
}

// start starts a process in a process group of its own.
func (s *spawner) start(opts ProcessOptions) (*Process, error) {
	out, err := opts.output()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(opts.Path, opts.Args...) //nolint:noctx // a server outlives the call that starts it
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = opts.Dir, nil, out, out
	if opts.stdin != nil {
		cmd.Stdin = opts.stdin
	}
	cmd.Env = append(environ(), opts.Env...)
	cmd.SysProcAttr = sysProcAttr(!opts.outlive)
	cmd.SysProcAttr.Credential = opts.user
	errs := make(chan error)
	s.jobs <- func() { errs <- cmd.Start() }
	if err := <-errs; err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, log: opts.Log, end: opts.end, done: make(chan struct{})}
	if p.end == 0 {
		p.end = syscall.SIGKILL
	}
	go p.reap()
	return p, nil
}
