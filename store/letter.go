package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// LetterFilter says which dead letters are meant.
type LetterFilter struct {
	Scope
	// Where is a condition in SQL on the columns of dead_letters, empty = none.
	Where string
}

// ErrNoLetter tells that there is no such dead letter.
var ErrNoLetter = errors.New("there is no such dead letter")

// LetterRow is a dead letter without what the record held.
type LetterRow struct {
	Topic     string     `json:"topic"`
	Partition int32      `json:"partition"`
	Offset    int64      `json:"offset"`
	Timestamp *time.Time `json:"timestamp"`
	Bytes     int64      `json:"bytes"`
	Stage     string     `json:"stage"`
	Reason    string     `json:"reason"`
	SQLState  string     `json:"sqlstate,omitempty"`
	Failed    time.Time  `json:"failed_at"`
}

// Letter is a whole dead letter.
type Letter struct {
	LetterRow
	Record   *sinkd.Record
	SchemaID int32
}

// LetterGroup counts the dead letters that have something in common.
type LetterGroup struct {
	Value string    `json:"value"`
	Count int64     `json:"count"`
	First time.Time `json:"first_failed_at"`
	Last  time.Time `json:"last_failed_at"`
	// Topic, Partition and Offset are those of the latest one.
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

const letterRowColumns = `topic, partition, record_offset, record_timestamp, coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0)::bigint,
       stage, reason, coalesce(sqlstate, ''), failed_at`

// from selects the letters of the filter; the parameters are those of args. The
// operator's condition sees nothing but the letters.
func (f *LetterFilter) from() string {
	where := f.Where
	if where == "" {
		where = "true"
	}
	return ` FROM (SELECT * FROM (
    SELECT * FROM {s}.dead_letters WHERE pipeline = $1 AND ($2 = '' OR topic = $2) AND ($3::integer < 0 OR partition = $3)
) AS dead_letters WHERE (` + where + "\n)) AS dead_letters"
}

func (s *Store) letterArgs(f *LetterFilter, more ...any) []any {
	return append([]any{s.cfg.Pipeline, f.Topic, f.Partition}, more...)
}

// Letters lists at most limit dead letters, the latest first.
func (s *Store) Letters(ctx context.Context, f LetterFilter, limit int) (letters []LetterRow, err error) {
	sql := `SELECT ` + letterRowColumns + f.from() + ` ORDER BY failed_at DESC, topic, partition, record_offset LIMIT $4`
	err = s.look(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.in(sql), s.letterArgs(&f, limit)...)
		if err != nil {
			return err
		}
		letters, err = pgx.CollectRows(rows, pgx.RowToStructByPos[LetterRow])
		return err
	})
	return letters, err
}

// LetterGroups counts the dead letters by reason, topic, sqlstate or stage, the
// most frequent first.
func (s *Store) LetterGroups(ctx context.Context, f LetterFilter, by string) (groups []LetterGroup, err error) {
	switch by {
	case "reason", "topic", "sqlstate", "stage":
	default:
		return nil, fmt.Errorf("store: letters are not grouped by %q", by)
	}
	sql := `SELECT coalesce(` + by + `, ''), count(*), min(failed_at), max(failed_at), (array_agg(topic ORDER BY failed_at DESC, record_offset DESC))[1],
		(array_agg(partition ORDER BY failed_at DESC, record_offset DESC))[1], (array_agg(record_offset ORDER BY failed_at DESC, record_offset DESC))[1]` +
		f.from() + ` GROUP BY 1 ORDER BY 2 DESC, 1`
	err = s.look(ctx, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.in(sql), s.letterArgs(&f)...)
		if err != nil {
			return err
		}
		groups, err = pgx.CollectRows(rows, pgx.RowToStructByPos[LetterGroup])
		return err
	})
	return groups, err
}

// Letter gives one dead letter whole; ErrNoLetter where there is none.
func (s *Store) Letter(ctx context.Context, p sinkd.Partition, offset int64) (letter *Letter, err error) {
	sql := `SELECT ` + letterRowColumns + `, key, value, headers, coalesce(schema_id, 0) FROM {s}.dead_letters
		WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND record_offset = $4`
	err = s.look(ctx, func(ctx context.Context, tx pgx.Tx) error {
		l := &Letter{Record: &sinkd.Record{Topic: p.Topic, Partition: p.ID, Offset: offset}}
		var headers []byte
		err := tx.QueryRow(ctx, s.in(sql), s.cfg.Pipeline, p.Topic, p.ID, offset).Scan(&l.Topic, &l.Partition, &l.Offset, &l.Timestamp,
			&l.Bytes, &l.Stage, &l.Reason, &l.SQLState, &l.Failed, &l.Record.Key, &l.Record.Value, &headers, &l.SchemaID)
		if errors.Is(err, pgx.ErrNoRows) {
			return &refused{ErrNoLetter}
		}
		if err != nil {
			return err
		}
		letter = l
		l.Record.Headers, err = headersFrom(headers)
		return err
	})
	return letter, err
}

// look runs a transaction that changes nothing, whatever an operator's condition
// calls.
func (s *Store) look(ctx context.Context, f func(context.Context, pgx.Tx) error) error {
	return s.operate(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET TRANSACTION READ ONLY`); err != nil {
			return err
		}
		return f(ctx, tx)
	})
}

// headersFrom reads headers from the form in which they are kept.
func headersFrom(text []byte) ([]sinkd.Header, error) {
	var pairs [][2]*string
	if err := json.Unmarshal(text, &pairs); err != nil {
		return nil, fmt.Errorf("read the headers of a dead letter: %w", err)
	}
	headers := make([]sinkd.Header, len(pairs))
	for i, pair := range pairs {
		var err error
		if headers[i].Key, err = headerBytes(pair[0]); err != nil {
			return nil, err
		}
		if headers[i].Value, err = headerBytes(pair[1]); err != nil {
			return nil, err
		}
	}
	return headers, nil
}

// headerBytes is the inverse of headerText; nil stays nil.
func headerBytes(text *string) ([]byte, error) {
	if text == nil {
		return nil, nil
	}
	coded, ok := strings.CutPrefix(*text, base64Prefix)
	if !ok {
		return []byte(*text), nil
	}
	b, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return nil, fmt.Errorf("read a header of a dead letter: %w", err)
	}
	return b, nil
}
