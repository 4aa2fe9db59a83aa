package store

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Operator is who does something to the pipeline, and why; it is recorded.
type Operator struct{ Name, Reason string }

// Scope is a part of a pipeline.
type Scope struct {
	// Topic is empty for all topics, Partition negative for all partitions.
	Topic     string
	Partition int32
}

// ErrNoPipeline tells that the pipeline was never started.
var ErrNoPipeline = errors.New("the pipeline was never started")

// UnknownError tells that the pipeline has no such topic or partition.
type UnknownError struct {
	Scope
	// Topics are those that it has.
	Topics []string
}

// Error names what there is.
func (e *UnknownError) Error() string {
	have := "it has no topics yet"
	if len(e.Topics) > 0 {
		have = "it has " + strings.Join(e.Topics, ", ")
	}
	if e.Partition >= 0 {
		return "the pipeline has no such partition of topic " + e.Topic + "; " + have
	}
	return "the pipeline has no topic " + e.Topic + "; " + have
}

// unknown gives the error for a scope in which there is nothing.
func (s *Store) unknown(ctx context.Context, tx pgx.Tx, in Scope) error {
	rows, err := tx.Query(ctx, s.in(`SELECT topic || ' (' || partitions || ' partitions)' FROM {s}.topics WHERE pipeline = $1 ORDER BY topic`),
		s.cfg.Pipeline)
	if err != nil {
		return err
	}
	topics, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	return &UnknownError{Scope: in, Topics: topics}
}

// operation is what is recorded of an operator's command.
type operation struct {
	Scope
	Operator
	name, detail string
}

func (s *Store) note(ctx context.Context, tx pgx.Tx, o operation) error {
	_, err := tx.Exec(ctx, s.in(operationSQL), s.cfg.Pipeline, o.Topic, o.Partition, o.name, storable(o.detail), o.Reason, o.Name)
	return err
}

// operate runs an operator's transaction on a connection of its own, without a
// bound on what a statement takes: rows may have to be deleted. Stalled sessions
// of the pipeline that it has to wait for are ended. What refused returned is
// answered as it is.
func (s *Store) operate(ctx context.Context, f func(context.Context, pgx.Tx) error) error {
	conn, err := s.alone(ctx)
	if err != nil {
		return err
	}
	defer s.discard(conn.PgConn())
	stop := s.endBlockers(ctx, pidOf(conn.PgConn()))
	defer stop()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		return f(ctx, tx)
	})
	var not *refused
	switch {
	case err == nil:
		return nil
	case errors.As(err, &not):
		return not.error
	}
	return s.classifyOwn(err)
}

// alone opens a connection for what an operator does, whose statements may take
// their time.
func (s *Store) alone(ctx context.Context) (*pgx.Conn, error) {
	config, err := s.parse()
	if err != nil {
		return nil, Classify(err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, Classify(err)
	}
	return conn, nil
}

// refused is an answer of ours, which is not to be classified.
type refused struct{ error }
