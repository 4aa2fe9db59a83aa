package lab

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PgBouncer is a pooler in front of one database. It ends with the lab.
type PgBouncer struct {
	*Process
	dir  string
	addr string
	url  *url.URL
}

// StartPgBouncer puts a pooler in front of the database of a URL, in the pool
// mode session, transaction or statement. Settings are added to its
// configuration, and may replace that of the lab. It lets in the URL's user.
func StartPgBouncer(database, mode string, settings ...string) (*PgBouncer, error) {
	l, err := the()
	if err != nil {
		return nil, err
	}
	program, err := FindPgBouncer()
	if err != nil {
		return nil, err
	}
	b := new(PgBouncer)
	if b.url, err = url.Parse(database); err != nil {
		return nil, err
	}
	if b.addr, err = FreeAddr(); err != nil {
		return nil, err
	}
	if err := b.configure(l, mode, settings); err != nil {
		return nil, err
	}
	user, err := unprivileged() // as root it refuses to run
	if err != nil {
		return nil, err
	}
	if b.Process, err = l.StartProcess(ProcessOptions{Path: program, Args: []string{b.file("pgbouncer.ini")}, user: user}); err != nil {
		return nil, err
	}
	if err := b.await(); err != nil {
		_ = b.Kill()
		return nil, fmt.Errorf("start pgbouncer: %w; it says:\n%s", err, b.Tail())
	}
	return b, nil
}

// Bouncer puts a pooler in front of a database for one test.
func Bouncer(t testing.TB, database, mode string, settings ...string) string {
	t.Helper()
	b, err := StartPgBouncer(database, mode, settings...)
	Require(t, err)
	t.Cleanup(func() { _ = b.Kill() })
	return b.URL()
}

// FindPgBouncer gives the path of the program, which Debian puts where ordinary
// users do not look. Where there is none, the error is a Missing.
func FindPgBouncer() (string, error) {
	path, err := exec.LookPath("pgbouncer")
	if err == nil {
		return path, nil
	}
	if path = "/usr/sbin/pgbouncer"; isProgram(path) {
		return path, nil
	}
	return "", Missing{Part: "pgbouncer", Fix: "apt-get install pgbouncer"}
}

// URL leads to the database through the pooler.
func (b *PgBouncer) URL() string {
	u := *b.url
	u.Host = b.addr
	return u.String()
}

func (b *PgBouncer) file(name string) string { return filepath.Join(b.dir, name) }

// configure writes the files of the pooler, which belong to the user that it
// runs as.
func (b *PgBouncer) configure(l *Lab, mode string, settings []string) error {
	var err error
	if b.dir, err = l.subdir("pgbouncer"); err != nil {
		return err
	}
	address, err := url.Parse("//" + b.addr)
	if err != nil {
		return err
	}
	password, _ := b.url.User.Password()
	config := fmt.Sprintf("[databases]\n* = host=%s port=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\nunix_socket_dir =\n"+
		"auth_type = plain\nauth_file = %s\npool_mode = %s\nserver_tls_sslmode = disable\n",
		b.url.Hostname(), b.url.Port(), address.Port(), b.file("users"), mode)
	for _, s := range settings {
		config += s + "\n"
	}
	for name, text := range map[string]string{
		"pgbouncer.ini": config, "users": fmt.Sprintf("%q %q\n", b.url.User.Username(), password),
	} {
		if err := os.WriteFile(b.file(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// await waits until a query goes through.
func (b *PgBouncer) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, b.URL())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-b.Done():
			return fmt.Errorf("it ended: %w", b.err)
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
