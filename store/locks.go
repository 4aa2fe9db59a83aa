package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Locks tells what the pipeline's sessions do, and whom they wait for.
type Locks struct {
	Pipeline string `json:"pipeline"`
	// Now is the database's clock.
	Now      time.Time    `json:"now"`
	Sessions []SessionRow `json:"sessions"`
	// Blockers are all sessions that one of these waits for, and those that such
	// a session waits for itself.
	Blockers []Blocker `json:"blockers"`
	// Hint is the GRANT that lets the role see what is hidden from it, empty where
	// nothing is.
	Hint string `json:"hint,omitempty"`
}

// Blocker is a session that others wait for. Nothing of its statement's text is
// here: it may hold rows.
type Blocker struct {
	// PID is 0 for prepared transactions, which are no sessions.
	PID         int32  `json:"pid"`
	User        string `json:"user"`
	Application string `json:"application_name"`
	// Type is that of pg_stat_activity, such as "client backend"; empty where the
	// role may not see it, or the session has ended since.
	Type string `json:"backend_type"`
	// State is empty where the role may not see it, or there is none.
	State string `json:"state"`
	Waits string `json:"waits_for,omitempty"`
	// Since is when its transaction began, nil where that is not known.
	Since *time.Time `json:"transaction_began_at"`
	PIDs  []int32    `json:"blocked_by_pids,omitempty"`
	// Sinkd tells that it is a session of this pipeline or another one.
	Sinkd bool `json:"sinkd"`
	// End is the statement that ends it, empty where it is sinkd's.
	End string `json:"end,omitempty" db:"-"`
}

const (
	whoWhenSQL = `SELECT current_user::text, clock_timestamp()`

	// waitedForSQL follows who is waited for from given process ids on. A session
	// that has ended meanwhile stands there without anything else.
	waitedForSQL = `
WITH RECURSIVE chain(pid) AS (
    SELECT unnest($1::integer[])
    UNION
    SELECT b.pid FROM chain c, LATERAL unnest(pg_blocking_pids(c.pid)) AS b(pid)
)
SELECT c.pid, coalesce(a.usename::text, ''), coalesce(a.application_name, ''), coalesce(a.backend_type, ''), coalesce(a.state, ''),
       CASE WHEN a.state <> 'idle' AND a.wait_event_type IS DISTINCT FROM 'Client'
            THEN concat_ws(' ', a.wait_event_type, a.wait_event) ELSE '' END,
       a.xact_start, pg_blocking_pids(c.pid), coalesce(starts_with(a.application_name, 'sinkd/'), false)
  FROM chain c LEFT JOIN pg_stat_activity a USING (pid)
 ORDER BY cardinality(pg_blocking_pids(c.pid)), c.pid
 LIMIT 64`
)

// Locks looks at the pipeline's sessions, at most 64 of them, from any machine.
// It needs no bookkeeping tables.
func (s *Store) Locks(ctx context.Context) (Locks, error) {
	l := Locks{Pipeline: s.cfg.Pipeline, Sessions: []SessionRow{}, Blockers: []Blocker{}}
	var role string
	err := s.view.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if err := conn.QueryRow(ctx, whoWhenSQL).Scan(&role, &l.Now); err != nil {
			return err
		}
		rows, err := conn.Query(ctx, sessionsSQL, s.prefix())
		if err != nil {
			return err
		}
		if l.Sessions, err = pgx.AppendRows(l.Sessions, rows, pgx.RowToStructByPos[SessionRow]); err != nil {
			return err
		}
		var waitedFor []int32
		for i := range l.Sessions {
			waitedFor = append(waitedFor, l.Sessions[i].PIDs...)
		}
		if rows, err = conn.Query(ctx, waitedForSQL, waitedFor); err != nil {
			return err
		}
		l.Blockers, err = pgx.AppendRows(l.Blockers, rows, pgx.RowToStructByPos[Blocker])
		return err
	})
	if l.finish() {
		l.Hint = "GRANT pg_read_all_stats TO " + quote(role) + ";"
	}
	return l, err
}

// finish says how blockers are ended, and tells whether something is hidden.
func (l *Locks) finish() (hidden bool) {
	for i := range l.Sessions {
		hidden = hidden || l.Sessions[i].State == ""
	}
	for i := range l.Blockers {
		b := &l.Blockers[i]
		ended := b.Type == "" && b.User == ""
		switch {
		case b.PID == 0:
			b.End = "ROLLBACK PREPARED '...'"
		case !b.Sinkd && !ended:
			b.End = fmt.Sprintf("SELECT pg_terminate_backend(%d)", b.PID)
		}
		hidden = hidden || b.State == "" && !ended && (b.Type == "" || b.Type == "client backend")
	}
	return hidden
}
