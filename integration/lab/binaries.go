package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// newest is the artifact that is taken where no server is installed.
const newest = "18"

// binaries are the programs of one version of Postgres, and the user that they
// run as: nil = ourselves.
type binaries struct {
	dir  string
	user *syscall.Credential
}

func (b binaries) program(name string) string { return filepath.Join(b.dir, name) }

// findBinaries finds or fetches the programs of a version, as
// PostgresOptions.Version says.
func findBinaries(l *Lab, version string) (binaries, error) {
	user, err := unprivileged()
	if err != nil {
		return binaries{}, err
	}
	dir := ""
	if version == "" {
		if dir = installed(); dir == "" {
			version = newest
		}
	}
	if dir == "" {
		if dir, err = fetchBinaries(l, version); err != nil {
			return binaries{}, err
		}
	}
	return binaries{dir: dir, user: user}, nil
}

// installed gives the directory of an installed server's programs: the one
// that pg_config names, or else the newest of Debian's; "" if there is none.
func installed() string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var dirs []string
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(debian, func(a, b string) int { return major(b) - major(a) })
	for _, dir := range append(dirs, debian...) {
		if isProgram(filepath.Join(dir, "initdb")) && isProgram(filepath.Join(dir, "postgres")) {
			return dir
		}
	}
	return ""
}

// major reads 15 out of /usr/lib/postgresql/15/bin.
func major(bindir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bindir)))
	return n
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
