package store

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// columns are the ranges of a batch as the arrays that statements unnest.
type columns struct {
	topic       []string
	partition   []int32
	from, until []int64
	epoch       []int32
	claim       []uuid.UUID
}

func columnsOf(ranges []sinkd.Range) columns {
	n := len(ranges)
	c := columns{
		topic: make([]string, n), partition: make([]int32, n), from: make([]int64, n),
		until: make([]int64, n), epoch: make([]int32, n), claim: make([]uuid.UUID, n),
	}
	for i, r := range ranges {
		c.topic[i], c.partition[i], c.claim[i] = r.Claim.Topic, r.Claim.ID, r.Claim.Token
		c.from[i], c.until[i], c.epoch[i] = r.From, r.Until, r.Epoch
	}
	return c
}

// ledgerArgs are the parameters of ledgerSQL: one row a range, also for a
// range without records. What Postgres skipped is none of the rows.
func ledgerArgs(s *Store, b *sinkd.Batch, later []int) []any {
	n := len(b.Ranges)
	generation, records, rows, skipped, dead, bytes := make([]int64, n), make([]int64, n), make([]int64, n),
		make([]int64, n), make([]int64, n), make([]int64, n)
	first, last := make([]*time.Time, n), make([]*time.Time, n)
	for i := range b.Ranges {
		r := &b.Ranges[i]
		generation[i], records[i] = r.Claim.Generation, int64(r.Records.Len())
		rows[i], skipped[i], dead[i] = int64(r.Count.Rows-later[i]), int64(r.Count.Skipped+later[i]), int64(r.Count.Dead)
		bytes[i], first[i], last[i] = r.Count.Bytes, timeOf(&r.Count.First), timeOf(&r.Count.Last)
	}
	c := columnsOf(b.Ranges)
	return []any{
		s.cfg.Pipeline, b.ID, b.Started, s.cfg.Writer, c.topic, c.partition, generation, c.from, c.until,
		records, rows, skipped, dead, bytes, first, last,
	}
}

// timeOf gives nil for the zero time, which is NULL.
func timeOf(t *time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return t
}

// split gives partitions as the two arrays that statements unnest.
func split(parts []sinkd.Partition) (topics []string, numbers []int32) {
	topics, numbers = make([]string, len(parts)), make([]int32, len(parts))
	for i, p := range parts {
		topics[i], numbers[i] = p.Topic, p.ID
	}
	return topics, numbers
}

// int64Of reads a bigint that came in binary.
func int64Of(b []byte) int64 { return int64(binary.BigEndian.Uint64(b)) }

// quote quotes an identifier of one or more parts.
func quote(parts ...string) string { return pgx.Identifier(parts).Sanitize() }

// storable makes text fit for a text column.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\\0")
}
