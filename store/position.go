package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// Positions reads all position rows of the pipeline, whoever moves them, with
// what an operator paused. It never waits for a writer.
func (s *Store) Positions(ctx context.Context) (positions []sinkd.Position, err error) {
	err = s.watch.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, s.in(`
			SELECT o.topic, o.partition, o.claim, o.next_offset, o.generation, coalesce(o.halted, ''),
			       l.paused OR coalesce(p.paused, false)
			  FROM {s}.offsets o
			  JOIN {s}.pipelines l USING (pipeline)
			  LEFT JOIN {s}.partitions p USING (pipeline, topic, partition)
			 WHERE o.pipeline = $1
			 ORDER BY o.topic, o.partition`), s.cfg.Pipeline)
		if err != nil {
			return err
		}
		positions, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p sinkd.Position, err error) {
			err = row.Scan(&p.Topic, &p.ID, &p.Token, &p.Next, &p.Generation, &p.Halted, &p.Paused)
			return p, err
		})
		return err
	})
	return positions, err
}

// Observe keeps what this replica saw of partitions, for the view lag and for
// those who ask who holds what since when.
func (s *Store) Observe(ctx context.Context, obs []sinkd.Observation) error {
	n := len(obs)
	parts, at := make([]sinkd.Partition, n), make([]*time.Time, n)
	start, end, high, behind := make([]int64, n), make([]int64, n), make([]int64, n), make([]float64, n)
	for i := range obs {
		parts[i], at[i] = obs[i].Partition, timeOf(&obs[i].At)
		start[i], end[i], high[i], behind[i] = obs[i].LogStart, obs[i].End, obs[i].HighWatermark, obs[i].Behind.Seconds()
	}
	topics, numbers := split(parts)
	return s.watch.exec(ctx, `
		INSERT INTO {s}.partitions AS p (pipeline, topic, partition, log_start, end_offset, high_watermark, lag_seconds, observed_at, writer, claimed_at)
		SELECT $1, r.topic, r.partition, r.log_start, r.end_offset, r.high, r.behind, coalesce(r.at, now()), $2, now()
		  FROM unnest($3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[], $8::float8[], $9::timestamptz[])
		       AS r(topic, partition, log_start, end_offset, high, behind, at)
		 ORDER BY r.topic COLLATE "C", r.partition
		    ON CONFLICT (pipeline, topic, partition) DO UPDATE
		   SET log_start = excluded.log_start, end_offset = excluded.end_offset,
		       high_watermark = excluded.high_watermark, lag_seconds = excluded.lag_seconds, observed_at = excluded.observed_at, writer = excluded.writer,
		       claimed_at = CASE WHEN p.writer = excluded.writer AND p.claimed_at >= coalesce(p.released_at, '-infinity')
		                         THEN p.claimed_at ELSE now() END`,
		s.cfg.Pipeline, s.cfg.Writer, topics, numbers, start, end, high, behind, at)
}
