package store

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// pardon is a range of the ledger that counts more dead records than there are
// dead letters, because an operator discarded some: so many of its records need
// no row.
type pardon struct {
	Topic       string
	Partition   int32
	From, Until int64
	Letters     int64
}

const pardonsSQL = ledgerParts + `
SELECT topic, partition, from_offset, until_offset, dead - letters FROM letters WHERE discarded`

// readPardons reads them of the comparison's topics.
func (c *Comparison) readPardons(ctx context.Context) error {
	for _, topic := range c.Topics {
		rows, err := c.conn.Query(ctx, c.store.in(pardonsSQL), c.store.cfg.Pipeline, topic)
		if err != nil {
			return c.asked(err)
		}
		pardons, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pardon])
		if err != nil {
			return c.asked(err)
		}
		c.pardons = append(c.pardons, pardons...)
	}
	return nil
}

// pardoned tells that a record without effect may be one whose dead letter was
// discarded, and counts it as that.
func (c *Comparison) pardoned(d *Difference) bool {
	at := slices.IndexFunc(c.pardons, func(p pardon) bool {
		return p.Topic == d.Topic && p.Partition == d.Partition && p.From <= d.Offset && d.Offset < p.Until && p.Letters > 0
	})
	if at < 0 {
		return false
	}
	c.pardons[at].Letters--
	c.Discarded++
	return true
}

// lacking notes a record that has neither a row nor a dead letter.
func (c *Comparison) lacking(d Difference) {
	if d.Kind = "lost"; !c.pardoned(&d) {
		c.found(d)
	}
}
