package lab

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// initdb makes the data directory.
func (p *Postgres) initdb() error {
	secret := filepath.Join(p.dir, "password")
	if err := os.WriteFile(secret, []byte(p.password), 0o600); err != nil {
		return err
	}
	if u := p.bin.user; u != nil {
		if err := os.Chown(secret, int(u.Uid), int(u.Gid)); err != nil {
			return err
		}
	}
	return p.tool("initdb", "--pgdata="+p.Data(), "--username=postgres", "--pwfile="+secret,
		"--auth=password", "--encoding=UTF8", "--no-locale", "--no-sync")
}

// tool runs one of the server's programs to its end, as the server's user.
func (p *Postgres) tool(name string, args ...string) error {
	path := p.bin.program(name)
	if _, err := os.Stat(path); err != nil {
		return Missing{Part: name, Cause: err, Fix: "apt-get install postgresql"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PGPASSWORD="+p.password)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.bin.user}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w:\n%s", name, err, tail(out))
	}
	return nil
}

// configure appends the lab's settings, and over them those given, to
// postgresql.conf.
func (p *Postgres) configure(settings map[string]string) error {
	all := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
		"fsync":                   "off", // the machine is not going to lose power; a killed server loses nothing
		"shared_buffers":          "128MB",
		"max_connections":         "200",
		"max_wal_size":            "4GB",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"log_line_prefix":         "%m [%p] %a ",
		// Shared memory as files in the data directory, so that it goes with it.
		"dynamic_shared_memory_type": "mmap",
	}
	maps.Copy(all, settings)
	var b strings.Builder
	b.WriteString("\n# sinkd lab\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.ReplaceAll(all[name], "'", "''"))
	}
	f, err := os.OpenFile(filepath.Join(p.Data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(b.String()); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
