package lab

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// artifact gives the release that stands for a major version.
func artifact(version string) (string, error) {
	switch version {
	case "14":
		return "14.24.0", nil
	case "15":
		return "15.19.0", nil
	case "16":
		return "16.15.0", nil
	case "17":
		return "17.11.0", nil
	case "18":
		return "18.6.0", nil
	}
	return "", fmt.Errorf("postgres: no version %q: 14 to 18, or none for the installed one", version)
}

// fetchBinaries gives the programs of a version's artifact, from the cache or
// fetched into it.
func fetchBinaries(l *Lab, version string) (string, error) {
	release, err := artifact(version)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("postgres-%s-%s-%s", release, runtime.GOOS, runtime.GOARCH)
	dir, err := cached(name, func(dir string) error { return unpack(l, release, dir) })
	if err != nil {
		return "", err
	}
	if os.Geteuid() != 0 || passable(dir) {
		return filepath.Join(dir, "bin"), nil
	}
	// Postgres runs as another user, who cannot go into root's cache.
	reachable, err := l.subdir(name)
	if err != nil {
		return "", err
	}
	return filepath.Join(reachable, "bin"), linkTree(dir, reachable)
}

// unpack fetches a release into dir. The library has no call that only
// fetches, and what it does next it cannot do as root: it is given a data
// directory that makes it give up as soon as all is unpacked, which is told by
// the runtime directory that it makes at that point.
func unpack(l *Lab, release, dir string) error {
	temp, err := l.subdir("fetch")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	data, runtime := filepath.Join(temp, "data"), filepath.Join(temp, "runtime")
	if err := mkdir(data); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(release[:2]+"\n"), 0o600); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	err = embedded.NewDatabase(embedded.DefaultConfig().
		Version(embedded.PostgresVersion(release)).Port(uint32(port)).Logger(io.Discard).
		CachePath(temp).BinariesPath(dir).RuntimePath(runtime).DataPath(data)).Start()
	http.DefaultClient.CloseIdleConnections()
	removeOpened(filepath.Join(os.TempDir(), "embedded_postgres_log*"))
	if _, missing := os.Stat(runtime); missing == nil {
		return nil
	}
	if err == nil {
		err = errors.New("nothing was unpacked")
	}
	return Missing{Part: "PostgreSQL " + release, Fix: "a network that reaches https://repo1.maven.org", Cause: err}
}

// removeOpened removes the files of a pattern that this process has opened:
// the library leaves its log behind, and other programs' lie beside it.
func removeOpened(pattern string) {
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		name, err := os.Readlink(fd)
		if err != nil {
			continue
		}
		if ok, _ := filepath.Match(pattern, name); ok {
			_ = os.Remove(name)
		}
	}
}
