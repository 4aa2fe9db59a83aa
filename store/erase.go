package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// NoPlaceError tells that a table does not say which record a row is by.
type NoPlaceError struct{ Table string }

// Error names the columns that are missing.
func (e *NoPlaceError) Error() string {
	return fmt.Sprintf("table %s: its rows do not say which records they are by: it takes the columns kafka_partition and kafka_offset, "+
		"and kafka_topic where several topics go into it", e.Table)
}

// deleteFrom deletes the partition's rows and dead letters from its new
// position on. The letters first: a replay under way holds those that it makes
// rows of, and only when it has ended are they seen.
func (s *Store) deleteFrom(ctx context.Context, tx pgx.Tx, t *TopicMove, at *Moved) error {
	tag, err := tx.Exec(ctx, s.in(`DELETE FROM {s}.dead_letters WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND record_offset >= $4`),
		s.cfg.Pipeline, at.Topic, at.Partition, at.Next)
	if err != nil {
		return err
	}
	at.Letters = tag.RowsAffected()
	if t.Table == nil {
		return nil
	}
	p := placeOf(t.Table, t.Route)
	if p == nil {
		return &refused{&NoPlaceError{Table: t.Table.String()}}
	}
	sql := "DELETE FROM " + quote(t.Table.Schema, t.Table.Name) + " WHERE " + quote(p.partition) + " = $1 AND " + quote(p.offset) + " >= $2"
	args := []any{at.Partition, at.Next}
	if p.topic != "" {
		sql += " AND " + quote(p.topic) + " = $3"
		args = append(args, at.Topic)
	}
	tag, err = tx.Exec(ctx, sql, args...)
	if err != nil {
		e := s.classify(err)
		e.Table, e.Topic = t.Table.String(), at.Topic
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == insufficientPrivilege {
			e.Hint = grant(t.Table, []string{"SELECT", "DELETE"}, s.user())
		}
		return e
	}
	at.Rows = tag.RowsAffected()
	return nil
}

// Erasable tells, by a *NoPlaceError, that the topic's rows cannot be told from
// others in the table.
func Erasable(t *sinkd.Table, r *sinkd.Route) error {
	if placeOf(t, r) == nil {
		return &NoPlaceError{Table: t.String()}
	}
	return nil
}
