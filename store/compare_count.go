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

// Below counts the records of the ledger's ranges that begin before an offset,
// in the current generation of a partition.
func (v *Verification) Below(ctx context.Context, p *PartitionLedger, offset int64) (records int64, err error) {
	err = v.conn.QueryRow(ctx, v.store.in(`SELECT coalesce(sum(least(records, greatest(0, $5 - from_offset))), 0)::bigint FROM {s}.batches
		WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND generation = $4 AND from_offset < $5`),
		v.store.cfg.Pipeline, p.Topic, p.Partition, p.Generation, offset).Scan(&records)
	return records, v.asked(err)
}
