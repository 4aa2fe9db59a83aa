package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Lab owns the processes, proxies and files that were started through it.
type Lab struct {
	dir     *directory
	spawner *spawner
	watcher *watcher

	mu     sync.Mutex
	unbind func() bool // parts from the context that New was given
	closed bool
	count  int // names below the directory are unique
	builds map[string]*build
	procs  []*Process
	ends   []func()

	once sync.Once
	err  error
}

// current is the lab that the functions of the package without a receiver use:
// the one of Run, or else the first of New. A test asks for a database without
// being handed a lab, so this one thing has to be kept somewhere.
var current struct {
	sync.Mutex
	lab     *Lab
	shared  *shared
	testing bool // Run is at work: the lab is made on first use
}

var errNoLab = errors.New("no lab: let TestMain call lab.Run, or a program lab.New")

// New gives a lab for a program that is not a test. Its files are below dir,
// which is made if it is missing; "" is a new temporary directory. The lab
// ends with Close, or with ctx.
func New(ctx context.Context, dir string) (*Lab, error) {
	l, err := open(dir)
	if err != nil {
		return nil, err
	}
	current.Lock()
	if current.lab == nil && !current.testing {
		current.lab, current.shared = l, new(shared)
	}
	current.Unlock()
	l.mu.Lock()
	l.unbind = context.AfterFunc(ctx, func() { _ = l.Close() })
	l.mu.Unlock()
	return l, nil
}

// open makes a lab that nothing refers to yet.
func open(parent string) (*Lab, error) {
	dir, err := makeDirectory(parent)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	l := &Lab{dir: dir, spawner: newSpawner()}
	if l.watcher, err = startWatcher(l.spawner, dir.path); err != nil {
		l.spawner.close()
		_ = dir.remove()
		return nil, fmt.Errorf("lab: %w", err)
	}
	return l, nil
}

// Dir is the directory that everything of the lab is below.
func (l *Lab) Dir() string { return l.dir.path }

// Close ends everything that was started through the lab, waits for it, and
// removes its files. It may be called again, and at the same time: every call
// returns when all is gone.
func (l *Lab) Close() error {
	l.once.Do(func() { l.err = l.close() })
	return l.err
}

func (l *Lab) close() error {
	current.Lock()
	if current.lab == l {
		current.lab, current.shared = nil, nil
	}
	current.Unlock()

	l.mu.Lock()
	l.closed = true // nothing is added any more
	l.mu.Unlock()
	if l.unbind != nil {
		l.unbind()
	}
	for _, end := range slices.Backward(l.ends) {
		end()
	}
	for _, p := range l.procs {
		_ = p.Signal(p.end)
		_ = p.Resume() // a stopped process takes no signal but KILL
	}
	deadline := time.Now().Add(10 * time.Second)
	for _, p := range l.procs {
		p.finish(time.Until(deadline))
	}
	l.watcher.close()
	l.spawner.close()
	return l.dir.remove()
}

// subdir makes a new directory below the lab's.
func (l *Lab) subdir(name string) (string, error) {
	l.mu.Lock()
	l.count++
	path := filepath.Join(l.dir.path, fmt.Sprintf("%s-%d", name, l.count))
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return "", errors.New("the lab is closed")
	}
	return path, mkdir(path)
}

// onClose lets end be called when the lab closes, the last one first. It
// refuses when the lab is closed.
func (l *Lab) onClose(end func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errors.New("the lab is closed")
	}
	l.ends = append(l.ends, end)
	return nil
}

// the gives the current lab, and makes it where Run is at work.
func the() (*Lab, error) {
	current.Lock()
	defer current.Unlock()
	if current.lab != nil {
		return current.lab, nil
	}
	if !current.testing {
		return nil, errNoLab
	}
	l, err := open("")
	if err != nil {
		return nil, err
	}
	current.lab, current.shared = l, new(shared)
	return l, nil
}
