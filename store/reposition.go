package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// repositioned are new positions of a topic.
type repositioned struct {
	topic   string
	numbers []int32
	offsets []int64
	// ends are the kinds of halts that they end, nil = all.
	ends []string
}

// reposition sets positions and starts their next generation; a row that is
// gone is made again here, and only here.
func (s *Store) reposition(ctx context.Context, tx pgx.Tx, r *repositioned) error {
	_, err := tx.Exec(ctx, s.in(`
		WITH r AS (
		    SELECT * FROM unnest($3::integer[], $4::bigint[]) AS r(partition, next_offset) ORDER BY partition
		), moved AS (
		    INSERT INTO {s}.offsets AS o (pipeline, topic, partition, next_offset, claim, generation)
		    SELECT $1, $2, r.partition, r.next_offset, `+freshToken+`,
		           1 + coalesce((SELECT max(b.generation) FROM {s}.batches b
		                          WHERE b.pipeline = $1 AND b.topic = $2 AND b.partition = r.partition), 0)
		      FROM r
		        ON CONFLICT (pipeline, topic, partition) DO UPDATE
		       SET next_offset = excluded.next_offset, claim = excluded.claim, leader_epoch = -1,
		           halted = CASE WHEN $5::text[] IS NULL OR o.halted = ANY ($5) THEN NULL ELSE o.halted END,
		           generation = greatest(o.generation + 1, excluded.generation)
		    RETURNING partition, next_offset
		)
		INSERT INTO {s}.partitions (pipeline, topic, partition, start_offset)
		SELECT $1, $2, partition, next_offset FROM moved
		    ON CONFLICT (pipeline, topic, partition) DO UPDATE SET start_offset = excluded.start_offset`),
		s.cfg.Pipeline, r.topic, r.numbers, r.offsets, r.ends)
	return err
}
