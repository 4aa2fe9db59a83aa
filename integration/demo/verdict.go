package main

import "context"

// The questions that are put to Postgres at the end.
const (
	landedSQL = `
SELECT kind, count(*) AS rows, count(DISTINCT id) AS events, min(at)::date AS first, max(at)::date AS last
  FROM public.earthquakes GROUP BY kind ORDER BY rows DESC`

	deadSQL = `
SELECT count(*) AS dead, s.broken AS "broken on purpose", d.stage AS "found at", d.sqlstate, left(d.reason, 100) AS reason
  FROM sinkd.dead_letters d
  LEFT JOIN demo.sent s ON (d.partition, d.record_offset) = (s.kafka_partition, s.kafka_offset)
 GROUP BY 2, 3, 4, 5 ORDER BY 3, 2, 5`

	// A writer is one process of sinkd.
	resumedSQL = `
WITH spans AS (
    SELECT writer, partition, min(from_offset) || ' to ' || max(until_offset) AS span, sum(rows) AS rows,
           min(committed_at) AS since
      FROM sinkd.batches WHERE topic = 'earthquakes' GROUP BY writer, partition)
SELECT row_number() OVER (ORDER BY min(since)) AS process,
       max(span) FILTER (WHERE partition = 0) AS "partition 0", max(span) FILTER (WHERE partition = 1) AS "partition 1",
       max(span) FILTER (WHERE partition = 2) AS "partition 2", max(span) FILTER (WHERE partition = 3) AS "partition 3",
       sum(rows) AS rows
  FROM spans GROUP BY writer ORDER BY 1`

	strongestSQL = `
  SELECT DISTINCT magnitude, at, place, coordinates ->> 2 AS depth_km, felt
    FROM public.earthquakes WHERE magnitude >= 6 ORDER BY magnitude DESC, at;`
)

// verdict prints what SQL says, and gives the proof.
func (d *demo) verdict(ctx context.Context) (proof, error) {
	for _, t := range []struct{ title, sql string }{
		{"What landed (public.earthquakes):", landedSQL},
		{"What could not land, and why (sinkd.dead_letters keeps them whole):", deadSQL},
		{"Where each process of sinkd began and ended (the ledger, sinkd.batches):\n" +
			"each one goes on at the very offset where the killed one was.", resumedSQL},
		{"The strongest of the week:\n" + strongestSQL, strongestSQL},
	} {
		if err := d.table(ctx, d.conn, t.title, t.sql); err != nil {
			return proof{}, err
		}
	}
	p, err := prove(ctx, d.conn)
	if err != nil {
		return p, err
	}
	d.printf("\nThe proof, in SQL: what the broker holds against what Postgres holds, record by record,\n" +
		"by partition and offset and by content:\n\n")
	d.printf("  %s sent = %s rows + %d dead letters\n", thousands(p.Sent), thousands(p.Rows), p.Dead)
	d.printf("  %d lost, %d doubled, %d changed, %d invented\n", p.Lost, p.Doubled, p.Changed, p.Invented)
	d.printf("  after each kill, rows and dead letters agreed with the positions in sinkd.offsets\n")
	d.printf("  ledger: %s ranges in %s transactions, %d gaps or overlaps\n",
		thousands(p.Ranges), thousands(p.Transactions), p.Gaps)
	if p.Missing > 0 {
		d.printf("  the ledger is wrong by %d records\n", p.Missing)
	}
	if p.holds() {
		d.printf("\nExactly once: held, through %d kills.\n", kills)
		return p, nil
	}
	d.printf("\nExactly once: DID NOT HOLD.\n")
	return p, d.table(ctx, d.conn, "Some of what is wrong:", `
SELECT * FROM (
SELECT 'lost' AS what, kafka_partition, kafka_offset FROM demo.lost
UNION ALL SELECT 'doubled', kafka_partition, kafka_offset FROM demo.doubled
UNION ALL SELECT 'changed', kafka_partition, kafka_offset FROM demo.changed
UNION ALL SELECT 'invented', kafka_partition, kafka_offset FROM demo.invented
UNION ALL SELECT 'gap', partition, from_offset FROM demo.gaps) AS wrong LIMIT 20`)
}
