package store

import (
	"context"
	"fmt"
	"strings"
)

// count compares how many rows there are with how many the ledger counts.
func (c *Comparison) count(ctx context.Context) error {
	reason := "the table has no columns kafka_partition and kafka_offset, so only counts are compared"
	if c.at.complete(1) {
		reason = "several topics go into the table, which has no column kafka_topic, so only counts are compared"
	}
	c.unproved(0, reason)
	var counted, there int64
	err := c.conn.QueryRow(ctx, c.store.in(`SELECT coalesce(sum(rows), 0)::bigint FROM {s}.batches WHERE pipeline = $1 AND topic = ANY ($2)`),
		c.store.cfg.Pipeline, c.Topics).Scan(&counted)
	if err != nil {
		return c.asked(err)
	}
	if err := c.conn.QueryRow(ctx, `SELECT count(*) FROM `+quote(c.table.Schema, c.table.Name)).Scan(&there); err != nil {
		return err
	}
	d := Difference{
		Topic: strings.Join(c.Topics, ","), Partition: -1, Offset: -1, Rows: there,
		Detail: fmt.Sprintf("the ledger counts %d rows, the table has %d", counted, there),
	}
	switch {
	case there < counted:
		d.Kind, c.Lost = "lost", counted-there
	case there > counted:
		d.Kind, c.Unexpected = "unexpected", there-counted
	default:
		return nil
	}
	c.Differences = append(c.Differences, d)
	return nil
}

// Below counts the records of the ledger's ranges in front of an offset of a
// partition, at most: a range that holds the offset has them at its beginning, as
// far as is known. The current generation's, and those that only earlier ones
// read.
func (v *Verification) Below(ctx context.Context, p *PartitionLedger, offset int64) (current, earlier int64, err error) {
	err = v.conn.QueryRow(ctx, v.store.in(`
		SELECT coalesce(sum(least(records, $5 - from_offset)) FILTER (WHERE generation = $4 AND from_offset < $5), 0)::bigint,
		       coalesce(sum(least(records, $6 - from_offset)) FILTER (WHERE generation < $4 AND from_offset < $6), 0)::bigint
		  FROM {s}.batches WHERE pipeline = $1 AND topic = $2 AND partition = $3`),
		v.store.cfg.Pipeline, p.Topic, p.Partition, p.Generation, offset, p.Start).Scan(&current, &earlier)
	return current, earlier, v.asked(err)
}
