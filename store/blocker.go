package store

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// patience is how long a waiter lets the holder of a row be.
	patience = 3 * time.Second
	// sampling is the time between two looks at who is stalled.
	sampling = 500 * time.Millisecond
)

// blockersSQL finds the sessions of this pipeline at the root of backend $1's
// wait that wait for their client, and ends those among them that did so in
// the sample before ($3) as well. Those are zombies that were stopped inside a
// transaction: no timer of the server ends one that is stalled inside COPY. A
// long merge, a wait for a synchronous standby, or a session that waits for
// another one does not wait for its client, and is let be. (Ending a healthy
// one would be safe, and slow.)
const blockersSQL = `
WITH RECURSIVE chain(pid) AS (
    SELECT unnest(pg_blocking_pids($1))
    UNION
    SELECT b.pid FROM chain c, LATERAL unnest(pg_blocking_pids(c.pid)) AS b(pid)
), root AS MATERIALIZED (
    SELECT a.pid, a.pid || ' ' || a.backend_start AS backend
      FROM chain c
      JOIN pg_stat_activity a ON a.pid = c.pid
     WHERE cardinality(pg_blocking_pids(a.pid)) = 0
       AND a.usename = session_user
       AND starts_with(a.application_name, $2)
       AND a.wait_event_type = 'Client'
)
SELECT backend, CASE WHEN backend = ANY($3::text[]) THEN pg_terminate_backend(pid) ELSE false END FROM root`

// endBlockers watches, from when patience is over until stop is called, what
// keeps backend pid waiting, and ends stalled sessions of this pipeline.
func (s *Store) endBlockers(ctx context.Context, pid uint32) (stop func()) {
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		next := time.NewTimer(patience)
		defer next.Stop()
		var seen []string
		for {
			select {
			case <-ctx.Done():
				return
			case <-quit: // not in the middle of a sample, which would cost its session
				return
			case <-next.C:
			}
			seen = s.sample(ctx, pid, seen)
			next.Reset(sampling)
		}
	})
	return func() { close(quit); done.Wait() }
}

// sample gives the stalled sessions that keep pid waiting, after ending those
// that were seen before.
func (s *Store) sample(ctx context.Context, pid uint32, before []string) (stalled []string) {
	err := s.watch.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, blockersSQL, int32(pid), s.prefix(), before)
		if err != nil {
			return err
		}
		var backend string
		var ended bool
		_, err = pgx.ForEachRow(rows, []any{&backend, &ended}, func() error {
			stalled = append(stalled, backend)
			if ended {
				s.cfg.Metrics.terminated.Inc()
				s.cfg.Logger.Warn("ended a stalled session that others waited for", slog.String("backend", backend))
			}
			return nil
		})
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.cfg.Logger.Warn("cannot look for what is waited for", slog.Any("error", err))
	}
	return stalled
}
