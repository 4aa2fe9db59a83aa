package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// ProcessOptions say what StartProcess starts.
type ProcessOptions struct {
	// Path is the program, absolute or to be found in PATH.
	Path string
	Args []string
	// Env is added to the environment of this process.
	Env []string
	// Dir is the working directory; "" = the lab's.
	Dir string
	// Log is the file that takes standard output and error, appended; "" = a
	// new file below the lab's directory.
	Log string

	stdin   *os.File
	user    *syscall.Credential
	end     syscall.Signal // what ends it when the lab closes; 0 = KILL
	outlive bool           // not killed when this process dies
}

func (o ProcessOptions) output() (*os.File, error) {
	if o.Log == "" {
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	return os.OpenFile(o.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

// Process is a child process with a process group of its own. It is killed
// when the lab closes and when this process dies.
type Process struct {
	cmd  *exec.Cmd
	log  string
	end  syscall.Signal
	done chan struct{}
	err  error
}

// StartProcess starts a program that ends with the current lab.
func StartProcess(opts ProcessOptions) (*Process, error) {
	l, err := the()
	if err != nil {
		return nil, err
	}
	return l.StartProcess(opts)
}

// StartProcess starts a program that ends with the lab.
func (l *Lab) StartProcess(opts ProcessOptions) (*Process, error) {
	if opts.Log == "" {
		dir, err := l.subdir(filepath.Base(opts.Path))
		if err != nil {
			return nil, err
		}
		opts.Log = filepath.Join(dir, "log")
	}
	if opts.Dir == "" {
		opts.Dir = l.dir.path
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.New("the lab is closed")
	}
	p, err := l.spawner.start(opts)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(opts.Path), err)
	}
	l.procs = slices.DeleteFunc(l.procs, (*Process).Ended)
	l.procs = append(l.procs, p)
	return p, nil
}

func (p *Process) reap() {
	p.err = p.cmd.Wait()
	close(p.done)
}

// Pid is the process id, which is the process group's as well.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended tells whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Wait waits for the end of the process. It gives nil after exit code 0, an
// *exec.ExitError after another end, and ctx's cause if that comes first.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Signal sends a signal to the process alone, not to its group.
func (p *Process) Signal(sig syscall.Signal) error {
	if p.Ended() {
		return os.ErrProcessDone
	}
	return p.cmd.Process.Signal(sig)
}

// Pause stops the process as kill -STOP does.
func (p *Process) Pause() error { return p.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }

// Kill ends the process and its group as kill -9 does, and waits for the end.
func (p *Process) Kill() error {
	if !p.Ended() {
		_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
	}
	<-p.done
	return nil
}

// Stop sends a signal and waits for the end; after grace it kills, and gives
// an error.
func (p *Process) Stop(sig syscall.Signal, grace time.Duration) error {
	_ = p.Signal(sig)
	if !p.finish(grace) {
		return fmt.Errorf("%s did not end within %s of %s", filepath.Base(p.cmd.Path), grace, sig)
	}
	return nil
}

// finish waits for the end, kills after the time given, and tells whether that
// was not necessary.
func (p *Process) finish(grace time.Duration) bool {
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-p.done:
		return true
	case <-t.C:
		_ = p.Kill()
		return false
	}
}

// Output gives what the process has written so far, standard output and error
// together.
func (p *Process) Output() []byte {
	b, _ := os.ReadFile(p.log)
	return b
}

// Tail gives the last lines of the output, for error messages.
func (p *Process) Tail() string { return tail(p.Output()) }

func tail(b []byte) string {
	lines := bytes.Split(bytes.TrimRight(b, "\n"), []byte("\n"))
	lines = lines[max(0, len(lines)-20):]
	return string(bytes.Join(lines, []byte("\n")))
}
