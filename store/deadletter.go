package store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sinkd/sinkd"
)

// allBad is how many bad records a topic that never wrote a row may begin with.
const allBad = 100

const (
	// serializeSQL lets the pipeline's lanes and replicas bury one after the
	// other: otherwise each would count without the others' letters.
	serializeSQL = `SELECT paused FROM {s}.pipelines WHERE pipeline = $1 FOR NO KEY UPDATE`

	burySQL = `
INSERT INTO {s}.dead_letters AS d (pipeline, topic, partition, record_offset, record_timestamp, key, value, headers,
       schema_id, stage, reason, sqlstate)
SELECT $1, r.topic, r.partition, r.record_offset, r.record_timestamp, r.key, r.value, r.headers::jsonb,
       nullif(r.schema_id, 0), r.stage, r.reason, nullif(r.sqlstate, '')
  FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::timestamptz[], $6::bytea[], $7::bytea[], $8::text[],
              $9::integer[], $10::text[], $11::text[], $12::text[])
       AS r(topic, partition, record_offset, record_timestamp, key, value, headers, schema_id, stage, reason, sqlstate)
    ON CONFLICT (pipeline, topic, partition, record_offset) DO UPDATE
   SET record_timestamp = excluded.record_timestamp, key = excluded.key, value = excluded.value,
       headers = excluded.headers, schema_id = excluded.schema_id, stage = excluded.stage,
       reason = excluded.reason, sqlstate = excluded.sqlstate, failed_at = excluded.failed_at`

	// budgetSQL counts the letters of the period, this batch's included, from
	// when a person last acknowledged that the budget was spent.
	budgetSQL = `
SELECT count(*)
  FROM (SELECT FROM {s}.dead_letters
         WHERE pipeline = $1
           AND failed_at > now() - $2::bigint * interval '1 microsecond'
           AND failed_at > coalesce((SELECT max(acked_at) FROM {s}.incidents
                                      WHERE pipeline = $1 AND kind = '` + sinkd.DeadLetterLimit + `'), '-infinity')
         LIMIT $3::bigint + 1) AS d`

	// allBadSQL lists the topics that, with $3 more bad records each, had $4
	// and never a record with another end.
	allBadSQL = `
SELECT r.topic
  FROM unnest($2::text[], $3::bigint[]) AS r(topic, dead)
 WHERE NOT EXISTS (SELECT FROM {s}.batches b WHERE b.pipeline = $1 AND b.topic = r.topic AND b.records > b.dead)
   AND r.dead + (SELECT coalesce(sum(b.dead), 0) FROM {s}.batches b
                  WHERE b.pipeline = $1 AND b.topic = r.topic) >= $4`
)

// bury are the statements that write the batch's dead letters, inside its
// transaction: written before or after it, a letter would be doubled or lost by
// a crash in between.
func (l *lane) bury(b *sinkd.Batch) []request {
	if len(b.Dead) == 0 {
		return nil
	}
	cfg := &l.store.cfg
	topics, dead := deadByTopic(b)
	return []request{
		{sql: serializeSQL, args: []any{cfg.Pipeline}},
		{sql: burySQL, args: append([]any{cfg.Pipeline}, letterArgs(b.Dead)...)},
		{sql: budgetSQL, args: []any{cfg.Pipeline, cfg.DeadLetterPer.Microseconds(), int64(cfg.DeadLetterLimit)}},
		{sql: allBadSQL, args: []any{cfg.Pipeline, topics, dead, int64(allBad)}},
	}
}

// buried refuses dead letters that are too many, by the answers to bury.
func (l *lane) buried(b *sinkd.Batch, results []*pgconn.Result) error {
	if len(results) == 0 {
		return nil
	}
	cfg := &l.store.cfg
	if n := int64Of(results[2].Rows[0][0]); cfg.DeadLetterLimit > 0 && n > int64(cfg.DeadLetterLimit) {
		return &sinkd.Error{
			Class: sinkd.Configuration, Kind: sinkd.DeadLetterLimit,
			Err:  fmt.Errorf("more than %d dead letters in %s; the last one: %s", cfg.DeadLetterLimit, cfg.DeadLetterPer, describe(&b.Dead[len(b.Dead)-1])),
			Hint: "`sinkd dead-letters list --group-by reason` tells why; mend the cause or raise SINKD_DEAD_LETTER_LIMIT, then `sinkd incidents ack ID --retry`",
		}
	}
	if bad := results[3].Rows; len(bad) > 0 {
		return allBadError(b, string(bad[0][0]))
	}
	return nil
}

func allBadError(b *sinkd.Batch, topic string) error {
	e := &sinkd.Error{
		Class: sinkd.Configuration, Kind: sinkd.AllBad, Topic: topic,
		Hint: "format, columns or table do not fit the topic's records",
	}
	for i := range b.Dead {
		if d := &b.Dead[i]; d.Record.Topic == topic {
			e.Record = d.Record
			e.Err = fmt.Errorf("no row was ever written from %s, and its first %d records were all bad: %s", topic, allBad, describe(d))
			break
		}
	}
	return e
}

// refuseBad refuses a batch with dead letters where the pipeline is to stop at
// the first bad record.
func (s *Store) refuseBad(b *sinkd.Batch) error {
	if !s.cfg.StopOnBadRecord || len(b.Dead) == 0 {
		return nil
	}
	d := &b.Dead[0]
	return &sinkd.Error{
		Class: sinkd.Configuration, Kind: sinkd.BadRecord, Topic: d.Record.Topic, Record: d.Record,
		SQLState: d.SQLState, Err: errors.New(describe(d)),
		Hint: s.hintBad(),
	}
}

// hintBad says how a pipeline goes on that has stopped at a bad record.
func (s *Store) hintBad() string {
	if s.cfg.Idempotent {
		return "mend the table or the mapping and start again, or stop sinkd and set the consumer group's offset behind the record; SINKD_DELIVERY=exactly-once would keep such records as dead letters and go on"
	}
	return "SINKD_ON_BAD_RECORD=dead-letter would keep such records and go on"
}

// describe names a dead letter and its reason, for logs and incidents: without
// the words of a function that raised it, which may hold values of the row.
func describe(d *sinkd.DeadLetter) string {
	p := sinkd.Partition{Topic: d.Record.Topic, ID: d.Record.Partition}
	reason := d.Reason
	if strings.HasPrefix(d.SQLState, raised) {
		reason = "a function or a trigger refuses it; its words are in the dead letter, if there is one, and in PostgreSQL's log"
	}
	return fmt.Sprintf("%s offset %d, %s: %s", p, d.Record.Offset, d.Stage, reason)
}

// deadByTopic counts the dead letters of the topics for which the batch has no
// record with another end.
func deadByTopic(b *sinkd.Batch) (topics []string, dead []int64) {
	counts, good := make(map[string]int64), make(map[string]bool)
	for i := range b.Ranges {
		r := &b.Ranges[i]
		counts[r.Claim.Topic] += int64(r.Count.Dead)
		good[r.Claim.Topic] = good[r.Claim.Topic] || r.Records.Len() > r.Count.Dead
	}
	for topic, n := range counts {
		if n > 0 && !good[topic] {
			topics, dead = append(topics, topic), append(dead, n)
		}
	}
	return topics, dead
}

// letterArgs are the parameters of burySQL from $2 on.
func letterArgs(letters []sinkd.DeadLetter) []any {
	n := len(letters)
	topic, headers, stage, reason, state := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	partition, schema, offset := make([]int32, n), make([]int32, n), make([]int64, n)
	stamp, key, value := make([]*time.Time, n), make(pgtype.FlatArray[[]byte], n), make(pgtype.FlatArray[[]byte], n)
	for i := range letters {
		d := &letters[i]
		topic[i], partition[i], offset[i], stamp[i] = d.Record.Topic, d.Record.Partition, d.Record.Offset, timeOf(&d.Record.Timestamp)
		key[i], value[i], headers[i] = d.Record.Key, d.Record.Value, headersOf(d.Record)
		schema[i], stage[i], reason[i], state[i] = int32(d.SchemaID), d.Stage, storable(d.Reason), d.SQLState
	}
	return []any{topic, partition, offset, stamp, key, value, headers, schema, stage, reason, state}
}

// headersOf gives headers as JSON: an array of name and text, or base64: where
// the bytes are not text that jsonb holds. Names may come more than once.
func headersOf(r *sinkd.Record) string {
	pairs := make([][2]*string, len(r.Headers))
	for i, h := range r.Headers {
		name := headerText(h.Key)
		pairs[i][0] = &name
		if h.Value != nil {
			value := headerText(h.Value)
			pairs[i][1] = &value
		}
	}
	text, _ := json.Marshal(pairs) // strings and null only: cannot fail
	return string(text)
}

const base64Prefix = "base64:"

func headerText(b []byte) string {
	if utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 && !strings.HasPrefix(string(b), base64Prefix) {
		return string(b)
	}
	return base64Prefix + base64.StdEncoding.EncodeToString(b)
}
