package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// change is DDL that was run on a topic's table.
type change struct{ topic, action, ddl string }

// record keeps the change, in the transaction that made it, where there is a
// table for that.
func (s *Store) record(ctx context.Context, tx pgx.Tx, t *sinkd.Table, c *change) error {
	if s.cfg.Idempotent {
		return nil
	}
	_, err := tx.Exec(ctx, s.in(`INSERT INTO {s}.schema_changes (pipeline, topic, table_name, action, statement, writer)
		VALUES ($1, $2, $3, $4, $5, $6)`), s.cfg.Pipeline, c.topic, t.String(), c.action, c.ddl, s.cfg.Writer)
	return err
}
