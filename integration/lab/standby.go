package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// Standby starts a streaming standby of the server, which follows it until it
// is detached or promoted. It needs pg_basebackup, so the server has to be an
// installed one.
func (p *Postgres) Standby() (*Postgres, error) {
	s, err := p.lab.newPostgres(p.bin)
	if err != nil {
		return nil, err
	}
	s.password = p.password
	if err := s.tool("pg_basebackup", "--pgdata="+s.Data(), "--dbname="+p.URL(),
		"--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"); err != nil {
		return nil, err
	}
	if err := s.firstStart(); err != nil {
		return nil, err
	}
	return s, nil
}

// Detach lets a standby receive nothing any more, as if the network to its
// primary were gone: what is committed from now on is not on it.
func (p *Postgres) Detach() error {
	if err := p.Exec("ALTER SYSTEM SET primary_conninfo = ''"); err != nil {
		return err
	}
	if err := p.Exec("SELECT pg_reload_conf()"); err != nil {
		return err
	}
	return p.Until("SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver)")
}

// CatchUp waits until a standby has replayed all that its primary has written
// so far.
func (p *Postgres) CatchUp(primary *Postgres) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	end, err := queryOn[string](ctx, primary.URL(), "SELECT pg_current_wal_lsn()::text")
	if err != nil {
		return err
	}
	return p.Until(fmt.Sprintf("SELECT pg_last_wal_replay_lsn() >= '%s'::pg_lsn", end))
}

// Promote makes a standby a primary, and returns when it takes writes.
func (p *Postgres) Promote() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	done, err := queryOn[bool](ctx, p.URL(), "SELECT pg_promote(true, 60)")
	if err == nil && !done {
		err = fmt.Errorf("postgres: no promotion within a minute; the log of %s ends:\n%s",
			filepath.Base(p.dir), tail(p.Log()))
	}
	return err
}
