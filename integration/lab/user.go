package lab

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// unprivileged gives the user that Postgres runs as: nil, which is ourselves,
// or where we are root, whom Postgres refuses, postgres or nobody.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("Postgres refuses to run as root, and there is neither a user postgres nor nobody: adduser --system postgres")
}

// tempDir gives the temporary directory, or /tmp where we are root and the one
// of the environment lies where other users cannot go.
func tempDir() string {
	if dir := os.TempDir(); os.Geteuid() != 0 || passable(dir) {
		return dir
	}
	return "/tmp"
}

// passable tells whether every user can reach what lies in a directory.
func passable(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}
