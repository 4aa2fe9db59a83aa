package main

import "context"

// The questions that are put to Postgres at the end.
const (
	landedSQL = `
SELECT kind, count(*) AS rows, count(DISTINCT id) AS events, min(at)::date AS first, max(at)::date AS last
  FROM public.earthquakes GROUP BY kind ORDER BY rows DESC`

	deadSQL = `
SELECT count(*), stage, coalesce(sqlstate, '-') AS sqlstate, reason
  FROM sinkd.dead_letters GROUP BY stage, sqlstate, reason ORDER BY stage, reason`

	// A writer is one process of sinkd.
	resumedSQL = `
SELECT row_number() OVER (ORDER BY min(committed_at)) AS process,
       ` + ledgerOf0 + `, ` + ledgerOf1 + `, ` + ledgerOf2 + `, ` + ledgerOf3 + `,
       sum(rows) AS rows, sum(dead) AS dead, count(DISTINCT batch_id) AS transactions
  FROM sinkd.batches WHERE topic = 'earthquakes' GROUP BY writer ORDER BY 1`
	ledgerOf0 = `min(from_offset) FILTER (WHERE partition = 0) || ' to ' || max(until_offset) FILTER (WHERE partition = 0) AS "partition 0"`
	ledgerOf1 = `min(from_offset) FILTER (WHERE partition = 1) || ' to ' || max(until_offset) FILTER (WHERE partition = 1) AS "partition 1"`
	ledgerOf2 = `min(from_offset) FILTER (WHERE partition = 2) || ' to ' || max(until_offset) FILTER (WHERE partition = 2) AS "partition 2"`
	ledgerOf3 = `min(from_offset) FILTER (WHERE partition = 3) || ' to ' || max(until_offset) FILTER (WHERE partition = 3) AS "partition 3"`

	strongestSQL = `
SELECT magnitude, to_char(at, 'YYYY-MM-DD HH24:MI') AS at, place, position ->> 2 AS depth_km, coalesce(felt::text, '-') AS felt_by
  FROM (SELECT DISTINCT ON (id) * FROM public.earthquakes ORDER BY id) AS event
 ORDER BY magnitude DESC, at LIMIT 5`
)

// verdict prints what SQL says, and gives the proof.
func (d *demo) verdict(ctx context.Context) (proof, error) {
	for _, t := range []struct{ title, sql string }{
		{"What landed (public.earthquakes):", landedSQL},
		{"What could not, and why (sinkd.dead_letters, kept whole):", deadSQL},
		{"Where each process of sinkd began and ended (the ledger, sinkd.batches): the next one begins at\n" +
			"exactly the offset where the killed one ended.", resumedSQL},
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
	d.printf("\nSent against landed, record by record, by partition and offset and by content, in SQL:\n\n")
	d.printf("  %s sent = %s rows + %d dead letters\n", thousands(p.Sent), thousands(p.Rows), p.Dead)
	d.printf("  %d lost, %d doubled, %d changed, %d invented\n", p.Lost, p.Doubled, p.Changed, p.Invented)
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
