package main

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// proof is what SQL says of the comparison between what was sent and what
// landed.
type proof struct {
	Sent, Rows, Dead                 int64
	Lost, Doubled, Changed, Invented int64
	// Ranges and Transactions are the ledger's; Gaps are ranges that do not
	// begin where the one before ended; Missing are records that the ledger
	// does not count, or counts twice.
	Ranges, Transactions, Gaps, Missing int64
}

const proveSQL = `
SELECT (SELECT count(*) FROM demo.sent),
       (SELECT count(*) FROM demo.landed WHERE NOT dead),
       (SELECT count(*) FROM demo.landed WHERE dead),
       (SELECT count(*) FROM demo.lost),
       (SELECT coalesce(sum(times - 1), 0)::bigint FROM demo.doubled),
       (SELECT count(*) FROM demo.changed),
       (SELECT count(*) FROM demo.invented),
       (SELECT count(*) FROM sinkd.batches WHERE topic = 'earthquakes'),
       (SELECT count(DISTINCT batch_id) FROM sinkd.batches WHERE topic = 'earthquakes'),
       (SELECT count(*) FROM demo.gaps),
       (SELECT abs(coalesce(sum(records), 0) - (SELECT count(*) FROM demo.sent))::bigint
          FROM sinkd.batches WHERE topic = 'earthquakes')`

// prove compares in one statement, so in one snapshot.
func prove(ctx context.Context, conn *pgx.Conn) (proof, error) {
	rows, err := conn.Query(ctx, proveSQL)
	if err != nil {
		return proof{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[proof])
}

// holds tells whether every record took effect exactly once.
func (p proof) holds() bool {
	return p.Sent > 0 && p.Rows+p.Dead == p.Sent &&
		p.Lost == 0 && p.Doubled == 0 && p.Changed == 0 && p.Invented == 0 && p.Gaps == 0 && p.Missing == 0
}
