package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const (
	pauseAllSQL = `UPDATE {s}.pipelines SET paused = $2 WHERE pipeline = $1`

	// resumeAllSQL ends the pauses of partitions as well: nothing is left
	// standing behind somebody's back.
	resumeAllSQL = `UPDATE {s}.partitions SET paused = false WHERE pipeline = $1 AND paused`

	pauseSQL = `
INSERT INTO {s}.partitions (pipeline, topic, partition, paused)
SELECT pipeline, topic, partition, $4 FROM {s}.offsets
 WHERE pipeline = $1 AND topic = $2 AND ($3::integer < 0 OR partition = $3)
 ORDER BY topic, partition
    ON CONFLICT (pipeline, topic, partition) DO UPDATE SET paused = excluded.paused`
)

// SetPaused pauses or resumes what is in the scope; whoever runs the pipeline
// looks every two seconds. Resuming all of a pipeline resumes its partitions
// too. still tells that the pipeline as a whole is paused afterwards. Errors are
// ErrNoPipeline, *UnknownError or a *sinkd.Error.
func (s *Store) SetPaused(ctx context.Context, in Scope, paused bool, by Operator) (still bool, err error) {
	err = s.operate(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := s.setPaused(ctx, tx, in, paused); err != nil {
			return err
		}
		o := operation{Scope: in, Operator: by, name: "resume"}
		if paused {
			o.name = "pause"
		}
		if err := s.note(ctx, tx, o); err != nil {
			return err
		}
		return tx.QueryRow(ctx, s.in(`SELECT paused FROM {s}.pipelines WHERE pipeline = $1`), s.cfg.Pipeline).Scan(&still)
	})
	return still, err
}

func (s *Store) setPaused(ctx context.Context, tx pgx.Tx, in Scope, paused bool) error {
	if in.Topic == "" {
		tag, err := tx.Exec(ctx, s.in(pauseAllSQL), s.cfg.Pipeline, paused)
		switch {
		case err != nil:
			return err
		case tag.RowsAffected() == 0:
			return &refused{ErrNoPipeline}
		case paused:
			return nil
		}
		_, err = tx.Exec(ctx, s.in(resumeAllSQL), s.cfg.Pipeline)
		return err
	}
	tag, err := tx.Exec(ctx, s.in(pauseSQL), s.cfg.Pipeline, in.Topic, in.Partition, paused)
	if err == nil && tag.RowsAffected() == 0 {
		return s.refuseUnknown(ctx, tx, in)
	}
	return err
}

// refuseUnknown is the answer for a scope in which there is nothing.
func (s *Store) refuseUnknown(ctx context.Context, tx pgx.Tx, in Scope) error {
	err := s.unknown(ctx, tx, in)
	if _, ours := err.(*UnknownError); ours { //nolint:errorlint // it was made just now
		return &refused{err}
	}
	return err
}
