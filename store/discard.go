package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Discard deletes dead letters and answers how many; with dry only counts them.
func (s *Store) Discard(ctx context.Context, f LetterFilter, by Operator, dry bool) (n int64, err error) {
	if dry {
		err = s.look(ctx, func(ctx context.Context, tx pgx.Tx) error {
			return tx.QueryRow(ctx, s.in(`SELECT count(*)`+f.from()), s.letterArgs(&f)...).Scan(&n)
		})
		return n, err
	}
	sql := `WITH chosen AS MATERIALIZED (SELECT topic, partition, record_offset` + f.from() + `)
		DELETE FROM {s}.dead_letters AS d USING chosen AS c
		 WHERE d.pipeline = $1 AND d.topic = c.topic AND d.partition = c.partition AND d.record_offset = c.record_offset`
	err = s.operate(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, s.in(sql), s.letterArgs(&f)...)
		if err != nil {
			return err
		}
		if n = tag.RowsAffected(); n == 0 {
			return nil
		}
		detail := fmt.Sprintf("%d dead letters", n)
		if f.Where != "" {
			detail += " where " + f.Where
		}
		return s.note(ctx, tx, operation{Scope: f.Scope, Operator: by, name: "dead-letters discard", detail: detail})
	})
	return n, err
}
