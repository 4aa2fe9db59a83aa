package lab

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresOptions say which server StartPostgres starts.
type PostgresOptions struct {
	// Version is "14" to "18" for the artifact of that version, or "" for the
	// newest that is installed, and the newest artifact where none is.
	Version string
	// Settings are added to postgresql.conf.
	Settings map[string]string
	// Port is where it listens; 0 = a free port.
	Port int
}

// Postgres is a server with a data directory of its own, a superuser postgres
// with a random password, on loopback.
type Postgres struct {
	lab      *Lab
	bin      binaries
	dir      string // holds data, log and password
	port     int
	password string

	mu   sync.Mutex
	proc *Process
}

// StartPostgres starts a server that ends with the current lab.
func StartPostgres(opts PostgresOptions) (*Postgres, error) {
	l, err := the()
	if err != nil {
		return nil, err
	}
	return l.StartPostgres(opts)
}

// StartPostgres starts a server that ends with the lab. Where no programs are
// installed nor can be fetched, the error is a Missing.
func (l *Lab) StartPostgres(opts PostgresOptions) (*Postgres, error) {
	bin, err := findBinaries(l, opts.Version)
	if err != nil {
		return nil, err
	}
	p, err := l.newPostgres(bin)
	if err != nil {
		return nil, err
	}
	p.port, p.password = opts.Port, rand.Text()
	if err := p.initdb(); err != nil {
		return nil, err
	}
	if err := p.configure(opts.Settings); err != nil {
		return nil, err
	}
	return p, p.firstStart()
}

// newPostgres makes the directory of a server, which belongs to the user that
// the server runs as.
func (l *Lab) newPostgres(bin binaries) (*Postgres, error) {
	dir, err := l.subdir("postgres")
	if err != nil {
		return nil, err
	}
	if bin.user != nil {
		if err := os.Chown(dir, int(bin.user.Uid), int(bin.user.Gid)); err != nil {
			return nil, err
		}
	}
	return &Postgres{lab: l, bin: bin, dir: dir}, nil
}

// firstStart starts the server, on another port where somebody took the free
// one in between.
func (p *Postgres) firstStart() error {
	fixed := p.port != 0
	for attempt := 0; ; attempt++ {
		if !fixed {
			port, err := freePort()
			if err != nil {
				return err
			}
			p.port = port
		}
		err := p.Start()
		if err == nil || fixed || attempt == 5 || !strings.Contains(string(p.Log()), "could not bind") {
			return err
		}
	}
}

// URL is the superuser's connection to the database postgres.
func (p *Postgres) URL() string { return p.url("postgres") }

func (p *Postgres) url(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", p.password),
		Host: p.Addr(), Path: database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Addr is host:port.
func (p *Postgres) Addr() string { return loopback(p.port) }

// Bin is the directory of the server's programs. psql and pg_basebackup are
// only there where it is an installed one.
func (p *Postgres) Bin() string { return p.bin.dir }

// Log is what the server has logged.
func (p *Postgres) Log() []byte {
	b, _ := os.ReadFile(p.logFile())
	return b
}

func (p *Postgres) logFile() string { return filepath.Join(p.dir, "log") }

// Data is the data directory.
func (p *Postgres) Data() string { return filepath.Join(p.dir, "data") }

// Pid is the postmaster's process id.
func (p *Postgres) Pid() int { return p.process().Pid() }

func (p *Postgres) process() *Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proc
}

// Start starts the server after Stop or Kill, on the same port and data, and
// returns when it takes connections.
func (p *Postgres) Start() error {
	for begin := time.Now(); ; {
		logged := len(p.Log())
		err := p.start()
		if err == nil {
			return nil
		}
		// After Kill the last backends may not have ended yet.
		fresh := string(p.Log()[logged:])
		if !strings.Contains(fresh, "pre-existing shared memory block") || time.Since(begin) > 30*time.Second {
			return fmt.Errorf("start postgres: %w; its log ends:\n%s", err, tail([]byte(fresh)))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *Postgres) start() error {
	proc, err := p.lab.StartProcess(ProcessOptions{
		Path: p.bin.program("postgres"),
		Args: []string{"-D", p.Data(), "-p", fmt.Sprint(p.port)},
		Dir:  p.dir, Log: p.logFile(), user: p.bin.user, end: syscall.SIGQUIT,
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.proc = proc
	p.mu.Unlock()
	if err := p.await(proc, time.Minute); err != nil {
		_ = proc.Kill()
		return err
	}
	return nil
}

// await waits until the server takes connections.
func (p *Postgres) await(proc *Process, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.URL())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-proc.Done():
			return fmt.Errorf("it ended: %w", proc.err)
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server as pg_ctl stop -m fast does.
func (p *Postgres) Stop() error { return p.stop("fast") }

// Kill ends the postmaster as kill -9 does; its backends notice and end.
func (p *Postgres) Kill() error { return p.process().Kill() }

// Restart ends the server in mode "fast" or "immediate", as pg_ctl -m does,
// and starts it again.
func (p *Postgres) Restart(mode string) error {
	if err := p.stop(mode); err != nil {
		return err
	}
	return p.Start()
}

func (p *Postgres) stop(mode string) error {
	sig := syscall.SIGINT
	switch mode {
	case "fast":
	case "immediate":
		sig = syscall.SIGQUIT
	default:
		return fmt.Errorf("postgres: no shutdown mode %q: fast or immediate", mode)
	}
	return p.process().Stop(sig, 30*time.Second)
}
