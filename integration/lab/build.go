package lab

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// build is a program that is built at most once.
type build struct {
	once sync.Once
	path string
	err  error
}

// Build builds a program with Go, once for each package and flags, and gives
// its path below the lab's directory.
func Build(pkg string, flags ...string) (string, error) {
	l, err := the()
	if err != nil {
		return "", err
	}
	return l.Build(pkg, flags...)
}

// Build builds a program with Go, once for each package and flags, and gives
// its path below the lab's directory.
func (l *Lab) Build(pkg string, flags ...string) (string, error) {
	key := strings.Join(append(flags, pkg), " ")
	l.mu.Lock()
	b := l.builds[key]
	if b == nil {
		b = new(build)
		if l.builds == nil {
			l.builds = make(map[string]*build)
		}
		l.builds[key] = b
	}
	l.mu.Unlock()
	b.once.Do(func() {
		var dir string
		if dir, b.err = l.subdir("bin"); b.err == nil {
			b.path = filepath.Join(dir, filepath.Base(pkg))
			b.err = goBuild(b.path, pkg, flags)
		}
	})
	return b.path, b.err
}

func goBuild(out, pkg string, flags []string) error {
	program, err := exec.LookPath("go")
	if err != nil {
		return Missing{Part: "Go", Fix: "https://go.dev/doc/install", Cause: err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	// With the profile every package would be compiled once more.
	args := append([]string{"build", "-pgo=off", "-o", out}, flags...)
	if text, err := exec.CommandContext(ctx, program, append(args, pkg)...).CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w:\n%s", pkg, err, tail(text))
	}
	return nil
}
