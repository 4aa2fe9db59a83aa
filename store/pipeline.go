package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// GroupError tells that the pipeline belongs to another consumer group: two
// groups would each get all partitions, and fence each other without end.
type GroupError struct {
	Pipeline string
	// Have is the group that the pipeline is pinned to, Want the configured one.
	Have, Want string
}

// Error names both groups and the command that moves the pipeline.
func (e *GroupError) Error() string {
	return fmt.Sprintf("pipeline %s belongs to the consumer group %s, and SINKD_KAFKA_GROUP is %s; "+
		"`sinkd offsets adopt` moves it to that group, or another SINKD_PIPELINE makes a second pipeline",
		e.Pipeline, e.Have, e.Want)
}

// Register makes the pipeline's row, with cluster and group, where it is
// missing. first tells that no start of the pipeline was ever completed
// (Started). Another group under the same name is a *GroupError. Another
// cluster is none here: it shows in the Cluster of Topics.
func (s *Store) Register(ctx context.Context, cluster string) (first bool, err error) {
	var group string
	err = s.control.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.in(`INSERT INTO {s}.pipelines (pipeline, cluster_id, kafka_group)
			VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`), s.cfg.Pipeline, cluster, s.cfg.Group)
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, s.in(`SELECT kafka_group, started_at IS NULL FROM {s}.pipelines WHERE pipeline = $1`),
			s.cfg.Pipeline).Scan(&group, &first)
	})
	if err != nil {
		return false, err
	}
	if group != s.cfg.Group {
		return false, &GroupError{Pipeline: s.cfg.Pipeline, Have: group, Want: s.cfg.Group}
	}
	return first, nil
}

// Started notes that the pipeline's first start is completed: the topics that
// it found are pinned, and one that is matched later begins at its log start.
func (s *Store) Started(ctx context.Context) error {
	return s.control.exec(ctx, `UPDATE {s}.pipelines SET started_at = now() WHERE pipeline = $1 AND started_at IS NULL`,
		s.cfg.Pipeline)
}

// Retry lets partitions that were halted for their configuration be tried
// again: it may have been mended since. Their incidents are closed.
func (s *Store) Retry(ctx context.Context) error {
	return s.control.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.in(`UPDATE {s}.offsets SET halted = NULL, claim = `+freshToken+`
			WHERE pipeline = $1 AND halted = $2`), s.cfg.Pipeline, sinkd.Refused)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, s.in(`UPDATE {s}.incidents SET acked_at = now(), acked_by = 'sinkd run'
			WHERE pipeline = $1 AND kind = $2 AND acked_at IS NULL`), s.cfg.Pipeline, sinkd.Refused)
		return err
	})
}

// Pause pauses the pipeline, with its incident.
func (s *Store) Pause(ctx context.Context, i sinkd.Incident) error {
	return s.control.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.in(`UPDATE {s}.pipelines SET paused = true WHERE pipeline = $1`), s.cfg.Pipeline)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, s.in(incidentSQL), s.incidentArgs(i)...)
		return err
	})
}
