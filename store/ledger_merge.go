package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// maxMerged is how many ranges one transaction looks at.
const maxMerged = 5000

const (
	// keeperSQL compares the claim, and lets one process at a time merge a
	// partition's ranges: two would each take some of a row of ranges, and what
	// they make of them would overlap. The position row is not locked for that,
	// since batches would wait.
	keeperSQL = `
SELECT pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', 'sinkd ledger', $5::text, pipeline, topic, partition), 0))
  FROM {s}.offsets WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND claim = $4`

	// oldRangesSQL are the ranges that may be merged. The newest of the current
	// generation is not among them: that no two ranges begin at the same offset
	// keeps a batch that landed from landing once more.
	oldRangesSQL = `
SELECT b.generation, b.from_offset, b.until_offset, b.kind, extract(epoch FROM date_trunc('hour', b.committed_at))::bigint
  FROM {s}.batches b
  JOIN {s}.offsets o USING (pipeline, topic, partition)
 WHERE b.pipeline = $1 AND b.topic = $2 AND b.partition = $3
   AND (b.generation, b.from_offset) >= ($4, $5)
   AND b.committed_at < now() - $6::bigint * interval '1 microsecond'
   AND (b.generation < o.generation OR b.generation = o.generation AND b.until_offset < o.next_offset)
 ORDER BY b.generation, b.from_offset
 LIMIT $7`

	// mergeSQL makes one range of several that follow each other.
	mergeSQL = `
WITH gone AS (
    DELETE FROM {s}.batches
     WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND generation = $4 AND from_offset BETWEEN $5 AND $6
    RETURNING *
)
INSERT INTO {s}.batches (batch_id, pipeline, topic, partition, generation, kind, from_offset, until_offset,
       records, rows, skipped, dead, bytes, first_timestamp, last_timestamp, started_at, committed_at, writer)
SELECT $7, $1, $2, $3, $4, 'merged', min(from_offset), max(until_offset), sum(records), sum(rows), sum(skipped), sum(dead), sum(bytes),
       min(first_timestamp), max(last_timestamp), min(started_at), max(committed_at), $8
  FROM gone
HAVING count(*) = $9 AND sum(until_offset - from_offset) = max(until_offset) - min(from_offset)`
)

// ledgerRange is a range as merging looks at it.
type ledgerRange struct {
	generation, from, until int64
	kind                    string
	hour                    int64
}

// follows tells that the range may become one with the one before it: of the
// same hour, in the same generation, without a gap. Lost ranges stay apart.
func (r *ledgerRange) follows(before *ledgerRange) bool {
	return r.generation == before.generation && r.from == before.until && r.hour == before.hour &&
		r.kind != "skip" && before.kind != "skip"
}

// MergeLedger merges ranges of the claim's partition that were committed longer
// ago than older, from a place on: one an hour is left, with the counts summed.
// It answers where the next call may begin, and whether there is more to do now;
// nothing is done where the claim no longer holds.
func (s *Store) MergeLedger(ctx context.Context, c *sinkd.Claim, older time.Duration, at sinkd.LedgerPlace) (next sinkd.LedgerPlace, more bool, err error) {
	next = at
	err = s.control.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		var mine bool
		row := tx.QueryRow(ctx, s.in(`SELECT coalesce((`+keeperSQL+`), false)`), s.cfg.Pipeline, c.Topic, c.ID, c.Token, s.cfg.Schema)
		if err := row.Scan(&mine); err != nil || !mine {
			return err
		}
		rows, err := tx.Query(ctx, s.in(oldRangesSQL), s.cfg.Pipeline, c.Topic, c.ID, at.Generation, at.From, older.Microseconds(), maxMerged)
		if err != nil {
			return err
		}
		ranges, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r ledgerRange, err error) {
			err = row.Scan(&r.generation, &r.from, &r.until, &r.kind, &r.hour)
			return r, err
		})
		if err != nil || len(ranges) == 0 {
			return err
		}
		more = len(ranges) == maxMerged
		next, err = s.mergeRanges(ctx, tx, c, ranges)
		return err
	})
	return next, more && err == nil, err
}

// mergeRanges merges what follows each other, and answers where the last of it
// begins: it may yet grow.
func (s *Store) mergeRanges(ctx context.Context, tx pgx.Tx, c *sinkd.Claim, ranges []ledgerRange) (last sinkd.LedgerPlace, err error) {
	for first := 0; first < len(ranges); {
		end := first + 1
		for end < len(ranges) && ranges[end].follows(&ranges[end-1]) {
			end++
		}
		last = sinkd.LedgerPlace{Generation: ranges[first].generation, From: ranges[first].from}
		if n := end - first; n > 1 {
			tag, err := tx.Exec(ctx, s.in(mergeSQL), s.cfg.Pipeline, c.Topic, c.ID, last.Generation, last.From, ranges[end-1].from,
				uuid.New(), s.cfg.Writer, n)
			if err != nil {
				return last, err
			}
			if tag.RowsAffected() != 1 { // what was deleted comes back with the transaction
				return last, &sinkd.Error{Class: sinkd.Transient, Err: fmt.Errorf("the ledger of %s changed while it was merged", c.Partition)}
			}
		}
		first = end
	}
	return last, nil
}
