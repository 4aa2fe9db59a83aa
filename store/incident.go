package store

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

const (
	// conflict keeps one open incident for each pipeline, topic, partition and
	// kind.
	conflict = `
    ON CONFLICT (pipeline, coalesce(topic, ''), coalesce(partition, -1), kind) WHERE acked_at IS NULL
    DO UPDATE SET last_seen_at = now(), seen = i.seen + 1, detail = excluded.detail, writer = excluded.writer`

	incidentSQL = `
INSERT INTO {s}.incidents AS i (pipeline, topic, partition, kind, detail, writer)
VALUES ($1, nullif($2, ''), CASE WHEN $2 <> '' AND $3::integer >= 0 THEN $3::integer END, $4, $5, $6)` + conflict

	// haltSQL halts a partition that is still ours, at the position that we
	// saw; without the two comparisons a writer that was fenced would halt its
	// successor, for a reason that is gone. The fresh token fences whatever of
	// ours is still on its way.
	haltSQL = `
WITH halted AS (
    UPDATE {s}.offsets AS o
       SET halted = $4, claim = ` + freshToken + `
     WHERE o.pipeline = $1 AND o.topic = $2 AND o.partition = $3
       AND o.claim = $7
       AND o.next_offset = $8
    RETURNING o.topic, o.partition
)
INSERT INTO {s}.incidents AS i (pipeline, topic, partition, kind, detail, writer)
SELECT $1, h.topic, h.partition, $4, $5, $6 FROM halted h` + conflict
)

// incidentArgs are the parameters that incidentSQL and haltSQL share.
func (s *Store) incidentArgs(i sinkd.Incident) []any {
	return []any{s.cfg.Pipeline, i.Topic, i.ID, i.Kind, storable(i.Detail), s.cfg.Writer}
}

// Halt halts the claim's partition, with its incident in the same transaction,
// where the claim still holds and the position is next. halted is false where
// it does not: the partition is another's, and nothing is recorded.
func (s *Store) Halt(ctx context.Context, c *sinkd.Claim, next int64, i sinkd.Incident) (halted bool, err error) {
	i.Partition = c.Partition
	err = s.control.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, s.in(haltSQL), append(s.incidentArgs(i), c.Token, next)...)
		halted = tag.RowsAffected() > 0
		return err
	})
	return halted, err
}

// Report opens an incident that halts nothing by itself. No topic means the
// whole pipeline, a negative partition the whole topic.
func (s *Store) Report(ctx context.Context, i sinkd.Incident) error {
	return s.control.exec(ctx, incidentSQL, s.incidentArgs(i)...)
}

// Skip passes over a range that Kafka has lost, where the claim still holds
// and its position is Claim.Next: the position moves to Until, the ledger gets
// a row of kind skip. The claim that it answers has the same token.
func (s *Store) Skip(ctx context.Context, k sinkd.Skip) (sinkd.Claim, error) {
	c := k.Claim
	moved := *c
	moved.Next = k.Until
	err := s.control.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, s.in(`
			WITH moved AS (
			    UPDATE {s}.offsets AS o
			       SET next_offset = $6
			     WHERE o.pipeline = $1 AND o.topic = $2 AND o.partition = $3 AND o.next_offset = $5 AND o.claim = $4
			    RETURNING o.generation
			)
			INSERT INTO {s}.batches (batch_id, pipeline, topic, partition, generation, kind, from_offset, until_offset,
			       records, rows, skipped, dead, bytes, started_at, writer)
			SELECT $7, $1, $2, $3, generation, 'skip', $5, $6, 0, 0, 0, 0, 0, now(), $8 FROM moved`),
			s.cfg.Pipeline, c.Topic, c.ID, c.Token, c.Next, k.Until, uuid.New(), s.cfg.Writer)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return &sinkd.Error{Class: sinkd.Fenced, Lost: []*sinkd.Claim{c}}
		}
		_, err = tx.Exec(ctx, s.in(operationSQL), s.cfg.Pipeline, c.Topic, c.ID, "skip", storable(k.Cause), "", "sinkd/"+s.cfg.Writer)
		return err
	})
	if err != nil {
		return sinkd.Claim{}, err
	}
	return moved, nil
}

// operationSQL records who did what, and why.
const operationSQL = `
INSERT INTO {s}.operations (pipeline, topic, partition, operation, detail, reason, operator)
VALUES ($1, nullif($2, ''), CASE WHEN $2 <> '' AND $3::integer >= 0 THEN $3::integer END, $4, $5, nullif($6, ''), $7)`
