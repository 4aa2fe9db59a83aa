package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Status is what the database knows of the pipeline.
type Status struct {
	Pipeline string `json:"pipeline"`
	Cluster  string `json:"cluster_id"`
	Group    string `json:"kafka_group"`
	Paused   bool   `json:"paused"`
	// Started is when the first start was completed, nil before that.
	Started *time.Time `json:"started_at"`
	// Now is the database's clock.
	Now         time.Time         `json:"now"`
	Partitions  []PartitionStatus `json:"partitions"`
	Incidents   []IncidentRow     `json:"incidents"`
	DeadLetters map[string]int64  `json:"dead_letters"`
}

// PartitionStatus is one partition as the position row, the last observation
// and the ledger show it. What nobody has seen yet is nil.
type PartitionStatus struct {
	Topic      string `json:"topic"`
	Partition  int32  `json:"partition"`
	Next       int64  `json:"next_offset"`
	Generation int64  `json:"generation"`
	Halted     string `json:"halted,omitempty"`
	Paused     bool   `json:"paused"`
	LogStart   *int64 `json:"log_start"`
	End        *int64 `json:"end_offset"`
	Lag        *int64 `json:"lag_records"`
	// Seconds is the age of the oldest record not yet written.
	Seconds    *float64   `json:"lag_seconds"`
	Observed   *time.Time `json:"observed_at"`
	Writer     string     `json:"writer,omitempty"`
	Claimed    *time.Time `json:"claimed_at"`
	Released   *time.Time `json:"released_at"`
	LastCommit *time.Time `json:"last_commit_at"`
}

const (
	pipelineSQL = `SELECT pipeline, cluster_id, kafka_group, paused, started_at, now() FROM {s}.pipelines WHERE pipeline = $1`

	partitionsSQL = `
SELECT o.topic, o.partition, o.next_offset, o.generation, coalesce(o.halted, ''), coalesce(p.paused, false),
       p.log_start, p.end_offset, g.records, g.seconds, p.observed_at, coalesce(p.writer, ''),
       p.claimed_at, CASE WHEN p.released_at > p.claimed_at THEN p.released_at END,
       (SELECT b.committed_at FROM {s}.batches b
         WHERE b.pipeline = o.pipeline AND b.topic = o.topic AND b.partition = o.partition AND b.generation = o.generation
         ORDER BY b.from_offset DESC LIMIT 1)
  FROM {s}.offsets o
  LEFT JOIN {s}.partitions p USING (pipeline, topic, partition)
  LEFT JOIN {s}.lag g USING (pipeline, topic, partition)
 WHERE o.pipeline = $1
 ORDER BY o.topic, o.partition`

	lettersSQL = `SELECT topic, count(*) FROM {s}.dead_letters WHERE pipeline = $1 GROUP BY topic`
)

// DeadLetters counts the dead letters of each topic that has some.
func (s *Store) DeadLetters(ctx context.Context) (map[string]int64, error) {
	count := make(map[string]int64)
	err := s.watch.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, s.in(lettersSQL), s.cfg.Pipeline)
		if err != nil {
			return err
		}
		return countLetters(rows, count)
	})
	return count, err
}

// countLetters puts what lettersSQL answers into count.
func countLetters(rows pgx.Rows, count map[string]int64) error {
	var topic string
	var n int64
	_, err := pgx.ForEachRow(rows, []any{&topic, &n}, func() error {
		count[topic] = n
		return nil
	})
	return err
}

// Status reads the pipeline's state in one round trip. A pipeline that was
// never registered has an empty one.
func (s *Store) Status(ctx context.Context) (Status, error) {
	st := Status{Pipeline: s.cfg.Pipeline, DeadLetters: make(map[string]int64)}
	err := s.watch.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		batch := &pgx.Batch{}
		s.queueStatus(batch, &st, incidentColumns+` AND acked_at IS NULL ORDER BY id`)
		batch.Queue(s.in(lettersSQL), s.cfg.Pipeline).Query(func(rows pgx.Rows) error {
			return countLetters(rows, st.DeadLetters)
		})
		return conn.SendBatch(ctx, batch).Close()
	})
	return st, err
}

// queueStatus asks for pipeline, partitions and incidents.
func (s *Store) queueStatus(batch *pgx.Batch, st *Status, incidents string) {
	batch.Queue(s.in(pipelineSQL), s.cfg.Pipeline).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&st.Pipeline, &st.Cluster, &st.Group, &st.Paused, &st.Started, &st.Now},
			func() error { return nil })
		return err
	})
	batch.Queue(s.in(partitionsSQL), s.cfg.Pipeline).Query(func(rows pgx.Rows) (err error) {
		st.Partitions, err = pgx.CollectRows(rows, pgx.RowToStructByPos[PartitionStatus])
		return err
	})
	batch.Queue(s.in(incidents), s.cfg.Pipeline).Query(func(rows pgx.Rows) (err error) {
		st.Incidents, err = pgx.CollectRows(rows, pgx.RowToStructByPos[IncidentRow])
		return err
	})
}
