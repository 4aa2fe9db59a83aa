package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// errReadOnly refuses a standby, or a role that may only read.
var errReadOnly = errors.New("the server is read-only (a standby?)")

// prefix begins the application_name of every session of the pipeline.
func (s *Store) prefix() string { return "sinkd/" + s.cfg.Pipeline + "/" }

// parse reads the URL into what a connection needs. The parser's own messages
// are not passed on: they can quote a part of the password.
func (s *Store) parse() (*pgx.ConnConfig, error) {
	url, err := s.cfg.URL()
	if err != nil {
		return nil, fmt.Errorf("store: database URL: %w", err)
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		var file *fs.PathError
		if errors.As(err, &file) {
			return nil, fmt.Errorf("store: database URL: %w", file)
		}
		return nil, errors.New("store: the database URL does not parse: " +
			"it is postgres://user:password@host:port/database or a libpq DSN, with / # ? % @ in the password percent-encoded")
	}
	// What decides how statements are read must not depend on the role's or
	// the database's settings; search_path alone is left to them, because
	// users' triggers depend on it.
	config.RuntimeParams["application_name"] = s.prefix() + s.cfg.Writer
	config.RuntimeParams["timezone"] = "UTC"
	config.RuntimeParams["client_encoding"] = "UTF8"
	config.RuntimeParams["standard_conforming_strings"] = "on"
	config.ValidateConnect = s.settle
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	return config, nil
}

// settle makes a new connection ours in one round trip: timeouts, isolation,
// no compiling of statements that run for less than that takes, and the check
// that it can write (target_session_attrs=read-write). Timeouts are set here and
// not at startup, where a pooler refuses them.
func (s *Store) settle(ctx context.Context, conn *pgconn.PgConn) error {
	results, err := conn.Exec(ctx, fmt.Sprintf(`SELECT current_setting('transaction_read_only'), pg_backend_pid(),
		set_config('statement_timeout', '%d', false), set_config('lock_timeout', '%d', false),
		set_config('idle_in_transaction_session_timeout', '10000', false),
		set_config('default_transaction_isolation', 'read committed', false),
		set_config('jit', 'off', false)`,
		s.cfg.StatementTimeout.Milliseconds(), s.cfg.LockTimeout.Milliseconds())).ReadAll()
	if err != nil {
		return err
	}
	row := results[0].Rows[0]
	if string(row[0]) == "on" {
		return errReadOnly
	}
	// Behind a pooler the connection's own process id is the pooler's.
	pid, err := strconv.ParseUint(string(row[1]), 10, 32)
	if err != nil {
		return err
	}
	conn.CustomData()[backendPID] = uint32(pid)
	return nil
}

const backendPID = "pid"

// pidOf gives the process id of the connection's backend.
func pidOf(conn *pgconn.PgConn) uint32 {
	pid, _ := conn.CustomData()[backendPID].(uint32)
	return pid
}
