package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Ledger is what the ledger says of the partitions of a pipeline.
type Ledger struct {
	Partitions []PartitionLedger `json:"partitions"`
	// Flaws are where the ledger does not prove what it should, at most
	// MaxFlaws of them; More counts those beyond.
	Flaws []Flaw `json:"flaws"`
	More  int64  `json:"more_flaws,omitempty"`
}

// PartitionLedger sums up the ranges of a partition's current generation.
type PartitionLedger struct {
	Topic      string `json:"topic"`
	Partition  int32  `json:"partition"`
	Generation int64  `json:"generation"`
	// Start is where the generation begins, -1 if that is not known; Position
	// is the next offset that is not yet in Postgres.
	Start    int64 `json:"start_offset"`
	Position int64 `json:"position"`
	Ranges   int64 `json:"ranges"`
	Records  int64 `json:"records"`
	Rows     int64 `json:"rows"`
	Skipped  int64 `json:"skipped"`
	Dead     int64 `json:"dead"`
	// Lost counts the offsets of ranges of kind skip, which Kafka had lost;
	// Discarded the dead letters that an operator removed.
	Lost      int64 `json:"passed_over"`
	Discarded int64 `json:"discarded"`
}

// Flaw is one place where the ledger does not prove what it should: offsets
// [From, Until) of a partition.
type Flaw struct {
	Topic      string `json:"topic"`
	Partition  int32  `json:"partition"`
	Generation int64  `json:"generation"`
	From       int64  `json:"from_offset"`
	Until      int64  `json:"until_offset"`
	// Kind is gap, overlap, counts, dead-letters, position or start.
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
}

// MaxFlaws bounds the flaws that are listed.
const MaxFlaws = 1000

// discarded tells whether letters of d's partition were discarded, by what
// operators did.
const discardedSQL = `EXISTS (SELECT FROM {s}.operations n
	 WHERE n.pipeline = $1 AND n.operation IN ('dead-letters discard', 'dead-letters send', 'dead-letters expire')
	   AND coalesce(n.topic, d.topic) = d.topic AND coalesce(n.partition, d.partition) = d.partition)`

// ledgerParts are what all questions about the ledger begin with: the ranges,
// the positions, and range by range where the count of dead records is not that
// of the dead letters. A letter of an earlier generation is none of the current
// one's: its record was read again since.
const ledgerParts = `
WITH b AS MATERIALIZED (
    SELECT b.*, max(until_offset) OVER (PARTITION BY topic, partition, generation ORDER BY from_offset
                                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
      FROM {s}.batches b WHERE pipeline = $1 AND ($2 = '' OR topic = $2)
), o AS MATERIALIZED (
    SELECT topic, partition, o.generation, o.next_offset, p.start_offset, greatest(t.pinned_at, (
               SELECT max(e.committed_at) FROM {s}.batches e
                WHERE e.pipeline = $1 AND e.topic = o.topic AND e.partition = o.partition AND e.generation < o.generation)) AS since
      FROM {s}.offsets o
      LEFT JOIN {s}.partitions p USING (pipeline, topic, partition)
      LEFT JOIN {s}.topics t USING (pipeline, topic)
     WHERE o.pipeline = $1 AND ($2 = '' OR topic = $2)
), buried AS MATERIALIZED (
    SELECT r.topic, r.partition, r.generation, r.from_offset, count(*) AS letters
      FROM {s}.dead_letters d
      JOIN o USING (topic, partition)
     CROSS JOIN LATERAL (SELECT b.* FROM {s}.batches b
                          WHERE b.pipeline = $1 AND b.topic = d.topic AND b.partition = d.partition
                            AND b.generation = o.generation AND b.from_offset <= d.record_offset
                          ORDER BY b.from_offset DESC LIMIT 1) AS r
     WHERE d.pipeline = $1 AND d.record_offset < r.until_offset AND d.failed_at >= o.since
     GROUP BY 1, 2, 3, 4
), letters AS MATERIALIZED (
    SELECT d.*, d.letters < d.dead AND ` + discardedSQL + ` AS discarded
      FROM (SELECT b.topic, b.partition, generation, from_offset, b.until_offset, b.dead, coalesce(buried.letters, 0) AS letters
              FROM b JOIN o USING (topic, partition, generation)
              LEFT JOIN buried USING (topic, partition, generation, from_offset)
             WHERE b.dead <> coalesce(buried.letters, 0)) AS d
)`

const ledgerSumSQL = ledgerParts + `
SELECT o.topic, o.partition, o.generation, coalesce(o.start_offset, -1), o.next_offset,
       count(b.from_offset), coalesce(sum(b.records), 0)::bigint, coalesce(sum(b.rows), 0)::bigint,
       coalesce(sum(b.skipped), 0)::bigint, coalesce(sum(b.dead), 0)::bigint,
       coalesce(sum(b.until_offset - b.from_offset) FILTER (WHERE b.kind = 'skip'), 0)::bigint,
       coalesce((SELECT sum(l.dead - l.letters) FROM letters l
                  WHERE l.discarded AND l.topic = o.topic AND l.partition = o.partition), 0)::bigint
  FROM o LEFT JOIN b USING (topic, partition, generation)
 GROUP BY o.topic, o.partition, o.generation, o.start_offset, o.next_offset
 ORDER BY o.topic, o.partition`

const flawsSQL = ledgerParts + `, ends AS (
    SELECT o.topic, o.partition, o.generation, o.next_offset, o.start_offset, min(b.from_offset) AS first, max(b.until_offset) AS last
      FROM o LEFT JOIN b USING (topic, partition, generation)
     GROUP BY o.topic, o.partition, o.generation, o.next_offset, o.start_offset
), flaws AS (
    SELECT topic, partition, generation, before AS from_offset, from_offset AS until_offset, 'gap' AS kind,
           'no range holds these offsets' AS detail
      FROM b WHERE before < from_offset
    UNION ALL
    SELECT topic, partition, generation, from_offset, least(before, until_offset), 'overlap', 'two ranges hold these offsets'
      FROM b WHERE before > from_offset
    UNION ALL
    SELECT topic, partition, generation, from_offset, until_offset, 'counts',
           format('%s of %s records = %s rows + %s skipped + %s dead', kind, records, rows, skipped, dead)
      FROM b WHERE records <> rows + skipped + dead OR least(rows, skipped, dead) < 0 OR records > until_offset - from_offset
                OR kind = 'skip' AND records <> 0 OR kind NOT IN ('batch', 'skip', 'merged')
    UNION ALL
    SELECT topic, partition, generation, from_offset, until_offset, 'dead-letters',
           format('the ledger counts %s dead, dead_letters has %s', dead, letters)
      FROM letters WHERE NOT discarded
    UNION ALL
    SELECT topic, partition, generation, start_offset, coalesce(first, next_offset), 'gap', 'no range holds these offsets, where the generation begins'
      FROM ends WHERE start_offset < coalesce(first, next_offset)
    UNION ALL
    SELECT topic, partition, generation, least(first, next_offset), start_offset, 'start', 'these offsets lie in front of where the generation begins'
      FROM ends WHERE least(first, next_offset) < start_offset
    UNION ALL
    SELECT topic, partition, generation, coalesce(first, next_offset), next_offset, 'start', 'it is not known where the generation begins'
      FROM ends WHERE start_offset IS NULL
    UNION ALL
    SELECT topic, partition, generation, last, next_offset, 'gap', 'no range holds these offsets, below the position'
      FROM ends WHERE last < next_offset
    UNION ALL
    SELECT topic, partition, generation, next_offset, last, 'position', 'the ledger goes beyond the position'
      FROM ends WHERE last > next_offset
    UNION ALL
    SELECT b.topic, b.partition, b.generation, min(b.from_offset), max(b.until_offset), 'position', 'the generation is newer than that of the position'
      FROM b JOIN o USING (topic, partition) WHERE b.generation > o.generation GROUP BY 1, 2, 3
    UNION ALL
    SELECT t.topic, n, 0, 0, 0, 'position', 'the partition has no position'
      FROM {s}.topics t CROSS JOIN LATERAL generate_series(0, t.partitions - 1) AS n
     WHERE t.pipeline = $1 AND ($2 = '' OR t.topic = $2)
       AND NOT EXISTS (SELECT FROM o WHERE o.topic = t.topic AND o.partition = n)
)
SELECT topic, partition, generation, from_offset, until_offset, kind, detail FROM flaws
 ORDER BY topic, partition, generation, from_offset, kind`

// Ledger proves what the ledger can prove of a topic, of all where it is empty:
// that the ranges are contiguous and disjoint, within the current generation
// from its start to the position; that the counts of each add up; and that the
// dead are in the dead letters. Nothing has flaws where there are no partitions.
func (v *Verification) Ledger(ctx context.Context, topic string) (*Ledger, error) {
	l := &Ledger{Flaws: []Flaw{}}
	rows, err := v.conn.Query(ctx, v.store.in(ledgerSumSQL), v.store.cfg.Pipeline, topic)
	if err == nil {
		l.Partitions, err = pgx.CollectRows(rows, pgx.RowToStructByPos[PartitionLedger])
	}
	if err != nil {
		return nil, v.asked(err)
	}
	if rows, err = v.conn.Query(ctx, v.store.in(flawsSQL), v.store.cfg.Pipeline, topic); err != nil {
		return nil, v.asked(err)
	}
	var f Flaw
	_, err = pgx.ForEachRow(rows, []any{&f.Topic, &f.Partition, &f.Generation, &f.From, &f.Until, &f.Kind, &f.Detail}, func() error {
		if len(l.Flaws) < MaxFlaws {
			l.Flaws = append(l.Flaws, f)
		} else {
			l.More++
		}
		return nil
	})
	return l, v.asked(err)
}
