package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// prefix begins the name of every lab's temporary directory; the owner's pid
// follows, for people. Programs go by the lock inside.
const prefix = "sinkd-lab-"

// directory is a lab's directory. Its file "lock" is locked as long as the
// owner lives, so that another program can tell what was left behind without
// trusting in a pid.
type directory struct {
	path string
	lock *os.File
}

// makeDirectory makes a lab's directory below parent, or below the system's
// temporary directory where parent is "", after sweeping what dead owners left
// there.
func makeDirectory(parent string) (*directory, error) {
	if parent == "" {
		parent = tempDir()
	} else if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return nil, err
	}
	sweep(parent)
	path, err := os.MkdirTemp(parent, prefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, err
	}
	d := &directory{path: path}
	// Postgres may run as another user, who has to come through here.
	if err := os.Chmod(path, 0o711); err != nil {
		_ = d.remove()
		return nil, err
	}
	if d.lock, err = lockFile(filepath.Join(path, "lock"), syscall.LOCK_EX); err != nil {
		_ = d.remove()
		return nil, err
	}
	return d, nil
}

// remove removes what the watcher has left of the directory: nothing, unless
// somebody ended it.
func (d *directory) remove() error {
	var err error
	if _, there := os.Stat(d.path); there == nil {
		err = removeTree(d.path)
	}
	if d.lock != nil {
		_ = d.lock.Close()
	}
	return err
}

// sweep removes the directories of owners that have ended. One that is younger
// than ten seconds is left alone: its owner may not have locked it yet.
func sweep(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, prefix+"*"))
	for _, dir := range dirs {
		name := filepath.Join(dir, "lock")
		info, err := os.Stat(name)
		if err != nil {
			info, err = os.Stat(dir)
		}
		if err != nil || time.Since(info.ModTime()) < 10*time.Second {
			continue
		}
		lock, err := lockFile(name, syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			continue // held by its owner, or not ours to touch
		}
		_ = removeTree(dir)
		_ = lock.Close()
	}
}

// lockFile opens or makes a file and locks it. Closing the file, or the end of
// the process, unlocks it.
func lockFile(name string, how int) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}

// mkdir makes a directory that other users can pass through.
func mkdir(path string) error {
	if err := os.MkdirAll(path, 0o711); err != nil {
		return err
	}
	return os.Chmod(path, 0o711) // whatever the umask is
}
