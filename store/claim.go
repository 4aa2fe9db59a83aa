package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

const (
	// freshToken is random: a counter would be minted a second time after a
	// failover that lost the last claims, and two writers would hold one token.
	freshToken = `gen_random_uuid()`

	// claimWait is how long a claim waits for the holder of the row.
	claimWait = `8s`

	claimed = `
RETURNING o.topic, o.partition, o.claim, o.next_offset, o.leader_epoch, o.generation, coalesce(o.halted, ''),
          coalesce((SELECT l.paused FROM {s}.pipelines l WHERE l.pipeline = o.pipeline), false)
       OR coalesce((SELECT p.paused FROM {s}.partitions p
                     WHERE p.pipeline = o.pipeline AND p.topic = o.topic AND p.partition = o.partition), false),
          (SELECT p.released_at FROM {s}.partitions p
            WHERE p.pipeline = o.pipeline AND p.topic = o.topic AND p.partition = o.partition
              AND p.released_at > coalesce(p.claimed_at, '-infinity'))`

	// claimSQL takes the rows that nobody holds, in key order.
	claimSQL = `
WITH free AS MATERIALIZED (
    SELECT o.topic, o.partition
      FROM unnest($2::text[], $3::integer[]) AS r(topic, partition)
      JOIN {s}.offsets o ON o.pipeline = $1 AND o.topic = r.topic AND o.partition = r.partition
     ORDER BY o.topic, o.partition
       FOR UPDATE OF o SKIP LOCKED
)
UPDATE {s}.offsets AS o
   SET claim = ` + freshToken + `
  FROM free
 WHERE o.pipeline = $1 AND o.topic = free.topic AND o.partition = free.partition` + claimed

	knownSQL = `
SELECT o.topic, o.partition
  FROM unnest($2::text[], $3::integer[]) AS r(topic, partition)
  JOIN {s}.offsets o ON o.pipeline = $1 AND o.topic = r.topic AND o.partition = r.partition
 ORDER BY o.topic, o.partition`

	claimOneSQL = `
UPDATE {s}.offsets AS o
   SET claim = ` + freshToken + `
 WHERE o.pipeline = $1 AND o.topic = $2 AND o.partition = $3` + claimed
)

// Claim takes the right to move the positions of parts, in one transaction: a
// fresh token goes into each row that no other transaction holds, which ends
// the claim before it. locked are the rows that are held. A partition in
// neither list has no position row. A halted or paused partition is claimed
// like any other; the claim says so.
//
// The write also proves that this is the primary.
func (s *Store) Claim(ctx context.Context, parts []sinkd.Partition) (claims []sinkd.Claim, locked []sinkd.Partition, err error) {
	topics, numbers := split(parts)
	err = s.control.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		batch := &pgx.Batch{} // without BEGIN, one Sync: one transaction, one round trip
		batch.Queue(s.in(claimSQL), s.cfg.Pipeline, topics, numbers).Query(func(rows pgx.Rows) (err error) {
			claims, err = pgx.CollectRows(rows, scanClaim)
			return err
		})
		batch.Queue(s.in(knownSQL), s.cfg.Pipeline, topics, numbers).Query(func(rows pgx.Rows) (err error) {
			locked, err = pgx.CollectRows(rows, pgx.RowToStructByPos[sinkd.Partition])
			return err
		})
		return conn.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return nil, nil, err
	}
	return claims, without(locked, claims), nil
}

// ClaimLocked claims a partition whose row another transaction holds: it waits
// for that, and after a while ends the holder if it is a stalled session of
// this pipeline. A row that is still held in the end is a Transient error.
func (s *Store) ClaimLocked(ctx context.Context, p sinkd.Partition) (claim sinkd.Claim, err error) {
	err = s.control.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '`+claimWait+`'`); err != nil {
			return err
		}
		stop := s.endBlockers(ctx, pidOf(tx.Conn().PgConn()))
		defer stop()
		rows, err := tx.Query(ctx, s.in(claimOneSQL), s.cfg.Pipeline, p.Topic, p.ID)
		if err != nil {
			return err
		}
		claim, err = pgx.CollectExactlyOneRow(rows, scanClaim)
		return err
	})
	return claim, err
}

func scanClaim(row pgx.CollectableRow) (c sinkd.Claim, err error) {
	var released *time.Time
	err = row.Scan(&c.Topic, &c.ID, &c.Token, &c.Next, &c.Epoch, &c.Generation, &c.Halted, &c.Paused, &released)
	if released != nil {
		c.Released = *released
	}
	return c, err
}

// without gives the known partitions that were not claimed.
func without(known []sinkd.Partition, claims []sinkd.Claim) (rest []sinkd.Partition) {
	taken := make(map[sinkd.Partition]bool, len(claims))
	for i := range claims {
		taken[claims[i].Partition] = true
	}
	for _, p := range known {
		if !taken[p] {
			rest = append(rest, p)
		}
	}
	return rest
}

// Release notes, by the database's clock, that the writer gave its claims up:
// the next writer's first commit ends the hand-over that begins here.
func (s *Store) Release(ctx context.Context, claims []*sinkd.Claim) error {
	parts := make([]sinkd.Partition, len(claims))
	tokens := make([][16]byte, len(claims))
	for i, c := range claims {
		parts[i], tokens[i] = c.Partition, c.Token
	}
	topics, numbers := split(parts)
	return s.watch.exec(ctx, `
		UPDATE {s}.partitions AS p
		   SET released_at = clock_timestamp()
		  FROM unnest($2::text[], $3::integer[], $4::uuid[]) AS r(topic, partition, claim)
		  JOIN {s}.offsets o ON o.pipeline = $1 AND o.topic = r.topic AND o.partition = r.partition AND o.claim = r.claim
		 WHERE p.pipeline = $1 AND p.topic = r.topic AND p.partition = r.partition`,
		s.cfg.Pipeline, topics, numbers, tokens)
}
