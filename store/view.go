package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// View is what people are shown of the pipeline beside its Status: bounded
// lists, however much there is.
type View struct {
	// Server is PostgreSQL's version.
	Server   string
	Status   Status
	Batches  []LedgerBatch
	Sessions []SessionRow
	Letters  LetterSum
}

// LedgerBatch is one batch as the ledger has it.
type LedgerBatch struct {
	ID                           uuid.UUID
	Kind                         string
	Started, Committed           time.Time
	Writer                       string
	Records, Rows, Skipped, Dead int64
	Bytes                        int64
	// Behind is the age in seconds that its oldest record had at the commit.
	Behind float64
	// Ranges is their number, Spans the first of them: topic, partition, from
	// and until.
	Ranges int64
	Spans  []Span
}

// Span is one range of a partition.
type Span struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	Until     int64  `json:"until"`
}

// SessionRow is a database session of the pipeline.
type SessionRow struct {
	PID    int32  `json:"pid"`
	Writer string `json:"writer"`
	// Lane is the lane of this process whose session it is, nil for none.
	Lane *int `json:"lane,omitempty" db:"-"`
	// State is that of pg_stat_activity, empty where the role may not see it;
	// Command the first word of the statement at work; Waits what is waited for.
	State   string    `json:"state"`
	Command string    `json:"command,omitempty"`
	Waits   string    `json:"waits_for,omitempty"`
	Since   time.Time `json:"since"`
	// Blockers are the first sessions that this one waits for, in words; PIDs are
	// all of them, 0 for a prepared transaction.
	Blockers []string `json:"blocked_by,omitempty"`
	PIDs     []int32  `json:"blocked_by_pids,omitempty"`
}

// LetterSum tells whether dead letters have changed since it was read last.
type LetterSum struct {
	// Count is at most lettersCounted.
	Count int64
	Last  *time.Time
}

// LettersCounted is how far dead letters are counted.
const LettersCounted = 100_000

const (
	viewIncidents = incidentColumns + ` AND acked_at IS NULL ORDER BY id LIMIT 100`

	letterSumSQL = `
SELECT count(*), max(failed_at)
  FROM (SELECT failed_at FROM {s}.dead_letters WHERE pipeline = $1 ORDER BY failed_at DESC LIMIT $2) AS d`

	// ledgerTailSQL reads the newest batches of at most 20,000 ranges.
	ledgerTailSQL = `
SELECT batch_id, min(kind), min(started_at), max(committed_at), min(writer),
       sum(records)::bigint, sum(rows)::bigint, sum(skipped)::bigint, sum(dead)::bigint, sum(bytes)::bigint,
       coalesce(greatest(extract(epoch FROM max(committed_at - first_timestamp)), 0), 0)::float8, count(*),
       jsonb_agg(jsonb_build_object('topic', topic, 'partition', partition, 'from', from_offset, 'until', until_offset)
                 ORDER BY topic, partition, from_offset) FILTER (WHERE n <= 12)
  FROM (SELECT t.*, row_number() OVER (PARTITION BY batch_id ORDER BY topic, partition, from_offset) AS n
          FROM (SELECT * FROM {s}.batches
                 WHERE pipeline = $1 AND committed_at > $2 AND kind <> 'merged'
                 ORDER BY committed_at DESC LIMIT 20000) AS t) AS b
 GROUP BY batch_id
 ORDER BY max(committed_at) DESC
 LIMIT 300`

	// sessionsSQL asks who is waited for only of sessions that wait.
	sessionsSQL = `
SELECT a.pid, substr(a.application_name, length($1) + 1), coalesce(a.state, ''),
       CASE WHEN a.state <> 'idle' THEN coalesce(upper(substring(a.query FROM '^\s*([A-Za-z]{2,12})\y')), '') ELSE '' END,
       CASE WHEN a.state <> 'idle' AND a.wait_event_type IS DISTINCT FROM 'Client'
            THEN concat_ws(' ', a.wait_event_type, a.wait_event) ELSE '' END,
       coalesce(CASE WHEN a.state = 'idle' THEN a.state_change ELSE a.xact_start END, a.backend_start, now()),
       CASE WHEN a.wait_event_type = 'Lock' THEN ARRAY(
           SELECT concat_ws(', ', 'pid ' || b.pid, nullif(b.application_name, ''), b.state)
             FROM pg_stat_activity b WHERE b.pid = ANY(pg_blocking_pids(a.pid)) ORDER BY b.pid LIMIT 5) END,
       CASE WHEN a.wait_event_type = 'Lock' THEN pg_blocking_pids(a.pid) END
  FROM pg_stat_activity a
 WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND starts_with(a.application_name, $1)
 ORDER BY (a.wait_event_type = 'Lock') DESC NULLS LAST, a.application_name, a.pid
 LIMIT 64`
)

// View reads what people are shown, in one round trip, on a session that is
// opened by the first who asks and that nothing else waits for. Batches are
// those since a moment, at most 300.
func (s *Store) View(ctx context.Context, since time.Time) (View, error) {
	v := View{Status: Status{Pipeline: s.cfg.Pipeline}}
	err := s.view.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		batch := &pgx.Batch{}
		s.queueStatus(batch, &v.Status, viewIncidents)
		batch.Queue(`SELECT current_setting('server_version')`).QueryRow(func(row pgx.Row) error { return row.Scan(&v.Server) })
		batch.Queue(s.in(letterSumSQL), s.cfg.Pipeline, LettersCounted).QueryRow(func(row pgx.Row) error {
			return row.Scan(&v.Letters.Count, &v.Letters.Last)
		})
		batch.Queue(s.in(ledgerTailSQL), s.cfg.Pipeline, since).Query(func(rows pgx.Rows) (err error) {
			v.Batches, err = pgx.CollectRows(rows, pgx.RowToStructByPos[LedgerBatch])
			return err
		})
		batch.Queue(sessionsSQL, s.prefix()).Query(func(rows pgx.Rows) (err error) {
			v.Sessions, err = pgx.CollectRows(rows, pgx.RowToStructByPos[SessionRow])
			return err
		})
		return conn.SendBatch(ctx, batch).Close()
	})
	for i := range v.Sessions {
		v.Sessions[i].Lane = s.laneOf(uint32(v.Sessions[i].PID))
	}
	return v, err
}

// laneOf gives the lane whose session's backend has the number, nil for none.
func (s *Store) laneOf(pid uint32) *int {
	for i, l := range s.lanes {
		if pid != 0 && l.pid.Load() == pid {
			return &i
		}
	}
	return nil
}
