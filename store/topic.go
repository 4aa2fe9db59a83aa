package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// Topics gives the pipeline's topics as their first claims pinned them.
func (s *Store) Topics(ctx context.Context) (map[string]sinkd.Topic, error) {
	topics := make(map[string]sinkd.Topic)
	err := s.control.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, s.in(`SELECT topic, topic_id, cluster_id, partitions FROM {s}.topics WHERE pipeline = $1`),
			s.cfg.Pipeline)
		if err != nil {
			return err
		}
		var t sinkd.Topic
		_, err = pgx.ForEachRow(rows, []any{&t.Name, &t.ID, &t.Cluster, &t.Partitions}, func() error {
			topics[t.Name] = t
			return nil
		})
		return err
	})
	return topics, err
}

// Pin pins a topic's identity and where each of its partitions begins, or
// takes note of partitions that it has gained since. len(starts) is
// t.Partitions.
//
// The topic's row is the gate: who inserts it inserts the position rows of all
// its partitions in the same transaction, so that a crash before the first
// batch loses nothing, and nobody else ever does. A position row that goes
// missing later is not made again, at a start that would lose or double what
// lies between: that is an incident.
func (s *Store) Pin(ctx context.Context, t sinkd.Topic, starts []int64) error {
	if len(starts) != int(t.Partitions) {
		return fmt.Errorf("store: %d starts for %d partitions of %s", len(starts), t.Partitions, t.Name)
	}
	return s.control.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, s.in(`INSERT INTO {s}.topics (pipeline, topic, topic_id, cluster_id, partitions)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`), s.cfg.Pipeline, t.Name, t.ID, t.Cluster, t.Partitions)
		if err != nil {
			return err
		}
		known := int32(0)
		if tag.RowsAffected() == 0 {
			if known, err = s.raise(ctx, tx, t); err != nil {
				return err
			}
		}
		return s.place(ctx, tx, t.Name, known, starts)
	})
}

// raise raises the partition count of a pinned topic and gives the one before;
// t's own where there is nothing to raise, be it that the topic is another one
// by now.
func (s *Store) raise(ctx context.Context, tx pgx.Tx, t sinkd.Topic) (known int32, err error) {
	err = tx.QueryRow(ctx, s.in(`SELECT CASE WHEN topic_id = $3 THEN partitions ELSE $4 END FROM {s}.topics
		WHERE pipeline = $1 AND topic = $2 FOR UPDATE`), s.cfg.Pipeline, t.Name, t.ID, t.Partitions).Scan(&known)
	if err != nil || known >= t.Partitions {
		return t.Partitions, err
	}
	_, err = tx.Exec(ctx, s.in(`UPDATE {s}.topics SET partitions = $3 WHERE pipeline = $1 AND topic = $2`),
		s.cfg.Pipeline, t.Name, t.Partitions)
	return known, err
}

// place inserts the position rows of the partitions from known on.
func (s *Store) place(ctx context.Context, tx pgx.Tx, topic string, known int32, starts []int64) error {
	_, err := tx.Exec(ctx, s.in(`
		WITH r AS (
		    SELECT n - 1 AS partition, start FROM unnest($3::bigint[]) WITH ORDINALITY AS r(start, n) WHERE n > $4
		), placed AS (
		    INSERT INTO {s}.offsets (pipeline, topic, partition, next_offset, claim)
		    SELECT $1, $2, partition, start, `+freshToken+` FROM r
		        ON CONFLICT DO NOTHING RETURNING partition, next_offset
		)
		INSERT INTO {s}.partitions (pipeline, topic, partition, start_offset)
		SELECT $1, $2, partition, next_offset FROM placed
		    ON CONFLICT (pipeline, topic, partition) DO UPDATE SET start_offset = excluded.start_offset`),
		s.cfg.Pipeline, topic, starts, int64(known))
	return err
}
