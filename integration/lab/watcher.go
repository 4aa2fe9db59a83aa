package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// removal removes the directory $1. The System V segment that a killed
// postmaster leaves in the kernel is freed by the number in its pid file.
// Backends that still end may write: it tries for some seconds.
const removal = `
find "$1" -name postmaster.pid 2>/dev/null | while read -r f; do
	id=$(sed -n 7p "$f" | tr -s ' ' | sed 's/^ //' | cut -d' ' -f2)
	[ -n "$id" ] && ipcrm -m "$id" 2>/dev/null
done
n=0
until rm -rf -- "$1" 2>/dev/null && [ ! -e "$1" ]; do
	n=$((n+1)); [ $n -gt 50 ] && exit 1
	sleep 0.1
done
`

// watching waits for the end of its input, which is the end of the program
// that holds the other end of the pipe.
const watching = `trap '' INT TERM HUP
while read -r _; do :; done
` + removal

// watcher is a shell that outlives the program and removes its directory.
type watcher struct {
	pipe *os.File
	proc *Process
}

func startWatcher(s *spawner, dir string) (*watcher, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p, err := s.start(ProcessOptions{
		Path: "/bin/sh", Args: []string{"-c", watching, "sinkd-lab-watcher", dir},
		Dir: "/", stdin: r, outlive: true,
	})
	if err != nil {
		_ = w.Close()
		return nil, err
	}
	return &watcher{pipe: w, proc: p}, nil
}

// close tells the watcher that all has ended, and waits until it has removed
// the directory.
func (w *watcher) close() {
	_ = w.pipe.Close()
	w.proc.finish(time.Minute)
}

// removeTree removes a lab's directory where no watcher does it.
func removeTree(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "/bin/sh", "-c", removal, "sinkd-lab-sweep", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("remove %s: %w: %s", dir, err, out)
	}
	return nil
}
