package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// Adopt gives the pipeline to the configured consumer group, and tells which
// one it belonged to. The positions stay. A fresh token in each of them fences
// what is left of the old group's writers.
func (s *Store) Adopt(ctx context.Context, by Operator) (was string, err error) {
	err = s.operate(ctx, func(ctx context.Context, tx pgx.Tx) error {
		err := tx.QueryRow(ctx, s.in(`SELECT kafka_group FROM {s}.pipelines WHERE pipeline = $1 FOR UPDATE`), s.cfg.Pipeline).Scan(&was)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return &refused{ErrNoPipeline}
		case err != nil || was == s.cfg.Group:
			return err
		}
		_, err = tx.Exec(ctx, s.in(`UPDATE {s}.pipelines SET kafka_group = $2 WHERE pipeline = $1`), s.cfg.Pipeline, s.cfg.Group)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, s.in(`
			WITH held AS (
			    SELECT topic, partition FROM {s}.offsets WHERE pipeline = $1 ORDER BY topic, partition FOR UPDATE
			)
			UPDATE {s}.offsets AS o SET claim = `+freshToken+` FROM held
			 WHERE o.pipeline = $1 AND o.topic = held.topic AND o.partition = held.partition`), s.cfg.Pipeline)
		if err != nil {
			return err
		}
		return s.note(ctx, tx, operation{
			Scope: Scope{Partition: -1}, Operator: by, name: "offsets adopt",
			detail: "from consumer group " + was + " to " + s.cfg.Group,
		})
	})
	return was, err
}
