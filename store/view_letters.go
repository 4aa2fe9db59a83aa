package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
)

// ViewGroup are dead letters that have the same reason.
type ViewGroup struct {
	Topic    string    `json:"topic"`
	Stage    string    `json:"stage"`
	Reason   string    `json:"reason"`
	SQLState string    `json:"sqlstate,omitempty"`
	Count    int64     `json:"count"`
	First    time.Time `json:"first_failed_at"`
	Last     time.Time `json:"last_failed_at"`
	// Partition and Offset are those of the newest of them.
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

// ViewLetter is a dead letter, with as much of its bytes as people look at.
type ViewLetter struct {
	Topic      string
	Partition  int32
	Offset     int64
	Timestamp  *time.Time
	Stage      string
	Reason     string
	SQLState   string
	Failed     time.Time
	Key, Value []byte
	// ValueBytes is the length of the whole value, -1 for none.
	ValueBytes int64
	Headers    json.RawMessage
}

// ViewLetters are the newest dead letters and their groups.
type ViewLetters struct {
	Groups []ViewGroup
	// Grouped is how many of the newest letters the groups are made of.
	Grouped int64
	Newest  []ViewLetter
}

const (
	// lettersGrouped is how many of the newest letters are grouped, lettersShown
	// how many are given one by one.
	lettersGrouped = 20_000
	lettersShown   = 50
	// LetterBytes is how much of a value is given.
	LetterBytes = 4096

	groupsSQL = `
SELECT topic, stage, reason, coalesce(sqlstate, ''), count(*), min(failed_at), max(failed_at),
       (array_agg(partition ORDER BY failed_at DESC, partition, record_offset DESC))[1],
       (array_agg(record_offset ORDER BY failed_at DESC, partition, record_offset DESC))[1]
  FROM (SELECT topic, stage, reason, sqlstate, failed_at, partition, record_offset
          FROM {s}.dead_letters WHERE pipeline = $1 ORDER BY failed_at DESC LIMIT $2) AS d
 GROUP BY topic, stage, reason, sqlstate
 ORDER BY count(*) DESC, topic, reason
 LIMIT 20`

	newestSQL = `
SELECT topic, partition, record_offset, record_timestamp, stage, reason, coalesce(sqlstate, ''), failed_at,
       substring(key FROM 1 FOR 512), substring(value FROM 1 FOR $3), coalesce(octet_length(value), -1),
       CASE WHEN length(headers::text) <= 2000 THEN headers ELSE '[]' END
  FROM {s}.dead_letters
 WHERE pipeline = $1
 ORDER BY failed_at DESC, topic, partition, record_offset DESC
 LIMIT $2`
)

// ViewLetters reads the newest dead letters, and groups them, within bounds.
func (s *Store) ViewLetters(ctx context.Context) (ViewLetters, error) {
	var l ViewLetters
	err := s.view.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		batch := &pgx.Batch{}
		batch.Queue(s.in(groupsSQL), s.cfg.Pipeline, lettersGrouped).Query(func(rows pgx.Rows) (err error) {
			l.Groups, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ViewGroup])
			return err
		})
		batch.Queue(s.in(newestSQL), s.cfg.Pipeline, lettersShown, LetterBytes).Query(func(rows pgx.Rows) (err error) {
			l.Newest, err = pgx.CollectRows(rows, pgx.RowToStructByPos[ViewLetter])
			return err
		})
		return conn.SendBatch(ctx, batch).Close()
	})
	for i := range l.Groups {
		l.Grouped += l.Groups[i].Count
	}
	return l, err
}
