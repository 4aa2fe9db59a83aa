package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// handoverSQL takes both times from the database's clock. The first range of a
// claim begins where the claim found the position.
const handoverSQL = `
SELECT extract(epoch FROM b.committed_at - r.released)::float8
  FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::timestamptz[])
       AS r(topic, partition, generation, next, released)
  JOIN {s}.batches b
    ON b.pipeline = $1 AND b.topic = r.topic AND b.partition = r.partition
   AND b.generation = r.generation AND b.from_offset = r.next
 WHERE b.committed_at > r.released`

// Handovers gives how long the hand-overs took that ended with the claims'
// first commits: from the release by the writer before.
func (s *Store) Handovers(ctx context.Context, claims []*sinkd.Claim) (took []time.Duration, err error) {
	parts := make([]sinkd.Partition, len(claims))
	generation, next := make([]int64, len(claims)), make([]int64, len(claims))
	released := make([]time.Time, len(claims))
	for i, c := range claims {
		parts[i], generation[i], next[i], released[i] = c.Partition, c.Generation, c.Next, c.Released
	}
	topics, numbers := split(parts)
	err = s.watch.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, s.in(handoverSQL), s.cfg.Pipeline, topics, numbers, generation, next, released)
		if err != nil {
			return err
		}
		took, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (time.Duration, error) {
			var seconds float64
			err := row.Scan(&seconds)
			return time.Duration(seconds * float64(time.Second)), err
		})
		return err
	})
	return took, err
}
