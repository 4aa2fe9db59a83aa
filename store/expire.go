package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// expireSQL deletes letters that nobody works on, and records how many.
const expireSQL = `
WITH old AS (
    SELECT topic, partition, record_offset FROM {s}.dead_letters
     WHERE pipeline = $1 AND failed_at < now() - $2::bigint * interval '1 microsecond'
     ORDER BY failed_at LIMIT $3 FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM {s}.dead_letters AS d USING old
     WHERE d.pipeline = $1 AND d.topic = old.topic AND d.partition = old.partition AND d.record_offset = old.record_offset
    RETURNING d.topic
), noted AS (
    INSERT INTO {s}.operations (pipeline, topic, operation, detail, reason, operator)
    SELECT $1, topic, 'dead-letters expire', count(*) || ' dead letters', 'SINKD_DEAD_LETTER_RETENTION', $4 FROM gone GROUP BY topic
)
SELECT count(*) FROM gone`

// maxExpired bounds the letters that one transaction deletes.
const maxExpired = 1000

// ExpireLetters deletes dead letters that failed longer ago than older, and
// tells whether there are more.
func (s *Store) ExpireLetters(ctx context.Context, older time.Duration) (more bool, err error) {
	err = s.control.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var n int64
		err := conn.QueryRow(ctx, s.in(expireSQL), s.cfg.Pipeline, older.Microseconds(), maxExpired, "sinkd/"+s.cfg.Writer).Scan(&n)
		more = n == maxExpired
		return err
	})
	return more, err
}
