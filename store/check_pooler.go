package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// rounds is how often checkPooler looks whether sessions are shared: others may
// use the same pooler meanwhile.
const rounds = 5

// CheckSessions opens as many sessions as run holds, and looks for a pooler that
// hands out the server's by the transaction. Behind one, nothing else that is
// checked means anything. It uses no prepared statements, which such a pooler
// mixes up.
func (s *Store) CheckSessions(ctx context.Context) (Finding, error) {
	f := Finding{Name: "sessions"}
	want := len(s.lanes) + 2
	var conns []*pgconn.PgConn
	defer func() {
		for _, c := range conns {
			s.discard(c)
		}
	}()
	for range want {
		conn, err := s.alone(ctx)
		if err != nil && len(conns) == 0 {
			return f, err
		}
		if err != nil {
			f.Detail = fmt.Sprintf("%d can be had, and run holds %d: %v", len(conns), want, err)
			f.Fix = "raise max_connections, the role's CONNECTION LIMIT or the pool's size, or lower SINKD_LANES, of which there are as many sessions, and two"
			return f, nil
		}
		conns = append(conns, conn.PgConn())
	}
	shares, err := shared(ctx, conns[0], conns[1])
	switch {
	case err != nil:
		return f, Classify(err)
	case shares:
		f.Name, f.Shared = "pooler", true
		f.Detail = "one stands between, and hands out the server's sessions by the transaction: temporary tables, prepared statements and settings get lost"
		f.Fix = "connect to PostgreSQL itself, or to a pool with pool_mode = session"
		return f, nil
	}
	f.OK, f.Detail = true, fmt.Sprintf("%d, as many as run holds", want)
	if pidOf(conns[0]) != conns[0].PID() {
		f.Detail += ", through a pooler that keeps them apart"
	}
	return f, nil
}

// shared tells whether two connections are not sessions of the server's own:
// while one of them is in a transaction, it has what the other one had before,
// or the other one has something else than before. Each leaves its mark on one
// kind of pooler: the first on those that take the session that was used last,
// the second on those that take them in turn.
func shared(ctx context.Context, a, b *pgconn.PgConn) (bool, error) {
	for range rounds {
		before, err := backend(ctx, a, "")
		if err != nil {
			return false, err
		}
		held, err := backend(ctx, b, "BEGIN;")
		if refusal := (*pgconn.PgError)(nil); errors.As(err, &refusal) && refusal.Code == protocolViolation {
			return true, nil // by the statement, even
		}
		if err != nil || held == before {
			return held == before, err
		}
		after, err := backend(ctx, a, "")
		if err != nil || after != before {
			return after != before, err
		}
		if _, err := b.Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// backend gives the process id of the server's session, after a statement.
func backend(ctx context.Context, conn *pgconn.PgConn, first string) (string, error) {
	results, err := conn.Exec(ctx, first+"SELECT pg_backend_pid()").ReadAll()
	if err != nil {
		return "", err
	}
	return string(results[len(results)-1].Rows[0][0]), nil
}
