package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sinkd/sinkd"
)

const (
	// takeSQL takes the letters, in key order, after those who had them before.
	// Each comes with the ledger's row that counts it, by the latest generation
	// that has read its offset. A letter that is older than a commit of an
	// earlier generation was made by that one: the record was read again since.
	// One from before the topic was pinned is of another topic of that name.
	takeSQL = `
SELECT d.partition, d.record_offset, d.record_timestamp, d.key, d.value, d.headers,
       coalesce(d.failed_at >= t.pinned_at AND d.record_offset >= o.next_offset, false) AS ahead,
       coalesce(b.generation, 0), coalesce(b.from_offset, 0),
       coalesce(b.generation > 1 AND EXISTS (
           SELECT FROM {s}.batches e WHERE e.pipeline = $1 AND e.topic = $2 AND e.partition = d.partition
              AND e.generation < b.generation AND e.committed_at >= d.failed_at), false) AS obsolete
  FROM unnest($3::integer[], $4::bigint[]) AS r(partition, record_offset)
  JOIN {s}.dead_letters d ON d.pipeline = $1 AND d.topic = $2 AND d.partition = r.partition AND d.record_offset = r.record_offset
  LEFT JOIN {s}.topics t ON t.pipeline = $1 AND t.topic = $2
  LEFT JOIN {s}.offsets o ON o.pipeline = $1 AND o.topic = $2 AND o.partition = d.partition
  LEFT JOIN LATERAL (
       SELECT x.generation, x.from_offset
         FROM generate_series(o.generation, 1, -1) AS g
        CROSS JOIN LATERAL (
              SELECT y.generation, y.from_offset, y.until_offset FROM {s}.batches y
               WHERE y.pipeline = $1 AND y.topic = $2 AND y.partition = d.partition AND y.generation = g
                 AND y.from_offset <= d.record_offset
               ORDER BY y.from_offset DESC LIMIT 1) AS x
        WHERE x.until_offset > d.record_offset AND d.failed_at >= t.pinned_at
        LIMIT 1) AS b ON true
 ORDER BY d.topic, d.partition, d.record_offset
   FOR UPDATE OF d`

	buryAgainSQL = `
UPDATE {s}.dead_letters AS d SET stage = r.stage, reason = r.reason, sqlstate = nullif(r.sqlstate, '')
  FROM unnest($3::integer[], $4::bigint[], $5::text[], $6::text[], $7::text[]) AS r(partition, record_offset, stage, reason, sqlstate)
 WHERE d.pipeline = $1 AND d.topic = $2 AND d.partition = r.partition AND d.record_offset = r.record_offset`

	unburySQL = `
DELETE FROM {s}.dead_letters AS d USING unnest($3::integer[], $4::bigint[]) AS r(partition, record_offset)
 WHERE d.pipeline = $1 AND d.topic = $2 AND d.partition = r.partition AND d.record_offset = r.record_offset`

	// reviveSQL moves counts from dead to rows and skipped, where the rows of the
	// ledger are still those that were found.
	reviveSQL = `
UPDATE {s}.batches AS b SET rows = b.rows + r.rows, skipped = b.skipped + r.skipped, dead = b.dead - r.rows - r.skipped
  FROM unnest($3::integer[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) AS r(partition, generation, from_offset, rows, skipped)
 WHERE b.pipeline = $1 AND b.topic = $2 AND b.partition = r.partition AND b.generation = r.generation AND b.from_offset = r.from_offset
   AND b.dead >= r.rows + r.skipped`
)

// ledgerRow is a row of the ledger, and what is to be moved there.
type ledgerRow struct {
	partition        int32
	generation, from int64
	rows, skipped    int64
}

// taken is a letter with what decides about it.
type taken struct {
	record           *sinkd.Record
	ahead, obsolete  bool
	generation, from int64
}

// take locks the letters and reads them; those that another session took out
// since are left out.
func (p *page) take(ctx context.Context, tx pgx.Tx, keys []letterKey) ([]taken, error) {
	topic := keys[0].topic
	partitions, offsets := columnsOfKeys(keys)
	rows, err := tx.Query(ctx, p.store.in(takeSQL), p.store.cfg.Pipeline, topic, partitions, offsets)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t taken, err error) {
		t.record = &sinkd.Record{Topic: topic}
		var headers []byte
		var at *time.Time
		err = row.Scan(&t.record.Partition, &t.record.Offset, &at, &t.record.Key, &t.record.Value, &headers,
			&t.ahead, &t.generation, &t.from, &t.obsolete)
		if err != nil {
			return t, err
		}
		if at != nil {
			t.record.Timestamp = *at
		}
		t.record.Headers, err = headersFrom(headers)
		return t, err
	})
}

func columnsOfKeys(keys []letterKey) (partitions []int32, offsets []int64) {
	for _, k := range keys {
		partitions, offsets = append(partitions, k.partition), append(offsets, k.offset)
	}
	return partitions, offsets
}

// batch makes a batch of the letters that are to have an end: a range for each
// row of the ledger that they are counted in.
func (p *page) batch(letters []taken) *sinkd.Batch {
	b := &sinkd.Batch{ID: uuid.New(), Started: time.Now()}
	for i := range letters {
		t := &letters[i]
		switch {
		case t.obsolete && p.replay.Send == nil:
			p.gone = append(p.gone, keyOfRecord(t.record))
			p.done.Obsolete++
			continue
		case t.ahead && p.replay.Send == nil:
			p.done.Ahead++
			p.done.Reasons["the position lies before it, so its record is read again"]++
			continue
		}
		r := p.rangeOf(b, t)
		r.Records.Append(sinkd.RecordsOf(t.record))
		r.Until = t.record.Offset + 1
	}
	return b
}

// rangeOf gives the range that the letter belongs to, the batch's last or a new
// one. Its claim stands for nothing but the row of the ledger.
func (p *page) rangeOf(b *sinkd.Batch, t *taken) *sinkd.Range {
	if n := len(b.Ranges); n > 0 {
		last := &b.Ranges[n-1]
		row := p.ledger[last.Claim]
		if last.Claim.ID == t.record.Partition && row.generation == t.generation && row.from == t.from {
			return last
		}
	}
	c := &sinkd.Claim{Partition: sinkd.Partition{Topic: t.record.Topic, ID: t.record.Partition}, Token: uuid.New()}
	p.ledger[c] = &ledgerRow{partition: t.record.Partition, generation: t.generation, from: t.from}
	b.Ranges = append(b.Ranges, sinkd.Range{Claim: c, From: t.record.Offset})
	return &b.Ranges[len(b.Ranges)-1]
}

// finish takes out what has its end, and moves the counts of the ledger.
func (p *page) finish(ctx context.Context, tx pgx.Tx, topic string) error {
	pipeline := p.store.cfg.Pipeline
	if partitions, offsets := columnsOfKeys(p.gone); len(partitions) > 0 {
		if _, err := tx.Exec(ctx, p.store.in(unburySQL), pipeline, topic, partitions, offsets); err != nil {
			return err
		}
	}
	if err := p.buryAgain(ctx, tx, topic); err != nil {
		return err
	}
	if err := p.revive(ctx, tx, topic); err != nil {
		return err
	}
	if len(p.gone) == 0 {
		return nil
	}
	return p.store.note(ctx, tx, operation{
		Scope: Scope{Topic: topic, Partition: p.replay.Partition}, Operator: p.replay.Operator,
		name: p.replay.String(), detail: p.replay.describe(&p.done),
	})
}

// buryAgain gives the letters that stay their new reason. When they failed
// first stays: the budget of the pipeline is not spent twice.
func (p *page) buryAgain(ctx context.Context, tx pgx.Tx, topic string) error {
	n := len(p.bad)
	if n == 0 {
		return nil
	}
	partitions, offsets := make([]int32, n), make([]int64, n)
	stages, reasons, states := make([]string, n), make([]string, n), make([]string, n)
	for i := range p.bad {
		d := &p.bad[i]
		partitions[i], offsets[i] = d.Record.Partition, d.Record.Offset
		stages[i], reasons[i], states[i] = d.Stage, storable(d.Reason), d.SQLState
	}
	_, err := tx.Exec(ctx, p.store.in(buryAgainSQL), p.store.cfg.Pipeline, topic, partitions, offsets,
		pgtype.FlatArray[string](stages), pgtype.FlatArray[string](reasons), pgtype.FlatArray[string](states))
	return err
}

func (p *page) revive(ctx context.Context, tx pgx.Tx, topic string) error {
	var partitions []int32
	var generations, froms, rows, skipped []int64
	for _, r := range p.ledger {
		if r.generation > 0 && r.rows+r.skipped > 0 {
			partitions, generations, froms = append(partitions, r.partition), append(generations, r.generation), append(froms, r.from)
			rows, skipped = append(rows, r.rows), append(skipped, r.skipped)
		}
	}
	if len(partitions) == 0 {
		return nil
	}
	tag, err := tx.Exec(ctx, p.store.in(reviveSQL), p.store.cfg.Pipeline, topic, partitions, generations, froms, rows, skipped)
	if err == nil && int(tag.RowsAffected()) != len(partitions) {
		return errMet
	}
	return err
}
