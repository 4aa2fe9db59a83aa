package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sinkd/sinkd"
)

// Replay is what an operator wants dead letters to become: rows, or records of
// another topic.
type Replay struct {
	LetterFilter
	Operator
	// Limit is how many letters are taken at most, 0 = all.
	Limit int64
	// DryRun takes everything back.
	DryRun bool
	// Force replays where it cannot be told what is newer.
	Force bool
	// Encode makes the rows of a batch.
	Encode func(ctx context.Context, b *sinkd.Batch) error
	// Send, where set, takes the records in place of the table; Topic is where it
	// sends them to.
	Send  func(ctx context.Context, records []*sinkd.Record) error
	Topic string
	// Progress is told of each transaction that has ended; it may be nil.
	Progress func(Replayed)
}

// Replayed counts what became of dead letters.
type Replayed struct {
	// Landed are in the table now, Skipped had no effect there by configuration
	// or because what is there is newer. Both are dead letters no more.
	Landed  int64 `json:"landed"`
	Skipped int64 `json:"skipped"`
	// Sent are in the other topic now.
	Sent int64 `json:"sent"`
	// Bad stay, with the reason why.
	Bad int64 `json:"bad"`
	// Obsolete were removed: their records were read again since.
	Obsolete int64 `json:"obsolete"`
	// Ahead stay: their records are read again, since the position lies before
	// them.
	Ahead int64 `json:"ahead"`
	// Held stay: a tombstone whose key may have been written anew since.
	Held int64 `json:"held"`
	// Reasons has why letters stay.
	Reasons map[string]int64 `json:"reasons"`
}

// Taken counts the letters that were looked at.
func (r *Replayed) Taken() int64 {
	return r.Landed + r.Skipped + r.Sent + r.Bad + r.Obsolete + r.Ahead + r.Held
}

func (r *Replayed) add(o *Replayed) {
	r.Landed, r.Skipped, r.Sent, r.Bad = r.Landed+o.Landed, r.Skipped+o.Skipped, r.Sent+o.Sent, r.Bad+o.Bad
	r.Obsolete, r.Ahead, r.Held = r.Obsolete+o.Obsolete, r.Ahead+o.Ahead, r.Held+o.Held
	for reason, n := range o.Reasons {
		r.Reasons[reason] += n
	}
}

const (
	// pageLetters and pageBytes bound the letters of one transaction.
	pageLetters = 500
	pageBytes   = 8 << 20
	// pageAttempts is how often a transaction is tried that met another one, which
	// takes a second.
	pageAttempts = 10
)

// errMet tells that the ledger's rows were merged while letters were replayed.
var errMet = &sinkd.Error{Class: sinkd.Transient, Err: errors.New("the ledger has changed meanwhile"), SQLState: serializationFailure}

// serializationFailure is what is tried again at once.
const serializationFailure = "40001"

// Replay takes dead letters out and writes their rows, a number of them in one
// transaction each: letters, rows and ledger go together, so that a crash, a
// second replay or a lost connection neither loses nor doubles any. Positions
// are not touched, and the pipeline may run meanwhile. Errors are refusals of
// ours or a *sinkd.Error; what was counted until then has been committed.
//
// Where letters are sent to a topic, a crash between may send those of one
// transaction twice.
func (s *Store) Replay(ctx context.Context, r *Replay) (*Replayed, error) {
	total := &Replayed{Reasons: map[string]int64{}}
	conn, err := s.alone(ctx)
	if err != nil {
		return total, err
	}
	defer s.discard(conn.PgConn())
	l := &lane{store: s, bare: true, conn: conn.PgConn(), born: time.Now(), used: time.Now(), types: pgtype.NewMap()}
	l.prepared = make(map[string]*pgconn.StatementDescription)
	if err := l.prepare(ctx, sameSQL); err != nil {
		return total, Classify(err)
	}
	var after letterKey
	for {
		if r.Limit > 0 && total.Taken() >= r.Limit {
			return total, nil
		}
		p := &page{store: s, replay: r, conn: conn, rows: &Rehearsal{lane: l, late: !r.Force}}
		keys, err := p.next(ctx, after, r.Limit-total.Taken())
		if err != nil {
			return total, s.classifyOwn(err)
		}
		if len(keys) == 0 {
			return total, nil
		}
		if err := p.turn(ctx, keys); err != nil {
			return total, err
		}
		total.add(&p.done)
		if r.Progress != nil {
			r.Progress(*total)
		}
		after = keys[len(keys)-1]
	}
}

// letterKey is the primary key of a letter within its pipeline.
type letterKey struct {
	topic     string
	partition int32
	offset    int64
}

// page is the letters of one transaction.
type page struct {
	store  *Store
	replay *Replay
	conn   *pgx.Conn
	rows   *Rehearsal
	// ledger has the ledger's rows by the claims that stand for them.
	ledger map[*sinkd.Claim]*ledgerRow
	bad    []sinkd.DeadLetter
	gone   []letterKey
	done   Replayed
}

// next gives the keys of the letters behind after, all of one topic.
func (p *page) next(ctx context.Context, after letterKey, left int64) ([]letterKey, error) {
	limit := int64(pageLetters)
	if p.replay.Limit > 0 {
		limit = min(limit, left)
	}
	sql := `SELECT topic, partition, record_offset, coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0)::bigint` +
		p.replay.from() + ` WHERE (topic, partition, record_offset) > ($4, $5, $6) ORDER BY topic, partition, record_offset LIMIT $7`
	if after == (letterKey{}) {
		after.partition = -1
	}
	rows, err := p.conn.Query(ctx, p.store.in(sql), p.store.letterArgs(&p.replay.LetterFilter, after.topic, after.partition, after.offset, limit)...)
	if err != nil {
		return nil, err
	}
	var keys []letterKey
	var k letterKey
	var size, bytes int64
	full := false
	_, err = pgx.ForEachRow(rows, []any{&k.topic, &k.partition, &k.offset, &size}, func() error {
		full = full || len(keys) > 0 && (k.topic != keys[0].topic || bytes+size > pageBytes)
		if !full {
			keys, bytes = append(keys, k), bytes+size
		}
		return nil
	})
	return keys, err
}

// turn replays the letters in one transaction, again where it met another one.
func (p *page) turn(ctx context.Context, keys []letterKey) error {
	stop := p.store.endBlockers(ctx, pidOf(p.conn.PgConn()))
	defer stop()
	for n := 1; ; n++ {
		p.ledger, p.bad, p.gone, p.done = map[*sinkd.Claim]*ledgerRow{}, nil, nil, Replayed{Reasons: map[string]int64{}}
		err := pgx.BeginFunc(ctx, p.conn, func(tx pgx.Tx) error { return p.run(ctx, tx, keys) })
		var not *refused
		switch {
		case err == nil, errors.Is(err, errBack):
			return nil
		case errors.As(err, &not):
			return not.error
		}
		e := p.store.classifyOwn(err)
		if n == pageAttempts || e.SQLState != deadlockDetected && e.SQLState != serializationFailure {
			return e
		}
		// Without a pause it may meet one that comes as often, each time.
		select {
		case <-time.After(rand.N(time.Duration(n) * 40 * time.Millisecond)):
		case <-ctx.Done():
			return e
		}
	}
}

// errBack ends the transaction of a dry run.
var errBack = errors.New("taken back")

func (p *page) run(ctx context.Context, tx pgx.Tx, keys []letterKey) error {
	l, committed := p.rows.lane, false
	stages := len(l.stages)
	defer func() {
		if !committed { // What was made since is gone, statements on it included.
			l.stages, l.shapes = l.stages[:min(stages, len(l.stages))], nil
			l.prepared = map[string]*pgconn.StatementDescription{sameSQL: l.prepared[sameSQL]}
		}
	}()
	if _, err := tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = '60s'`); err != nil {
		return err
	}
	letters, err := p.take(ctx, tx, keys)
	if err != nil {
		return err
	}
	if err := p.settle(ctx, p.batch(letters)); err != nil {
		return err
	}
	if p.replay.DryRun {
		return errBack
	}
	if err := p.finish(ctx, tx, keys[0].topic); err != nil {
		return err
	}
	committed = true
	return nil
}

// String names the operation in the record.
func (r *Replay) String() string {
	if r.Send != nil {
		return "dead-letters send"
	}
	return "dead-letters replay"
}

// describe tells what was done, for the record.
func (r *Replay) describe(done *Replayed) string {
	text := fmt.Sprintf("%d landed, %d skipped, %d bad, %d obsolete", done.Landed, done.Skipped, done.Bad, done.Obsolete)
	if r.Send != nil {
		text = fmt.Sprintf("%d sent to topic %s", done.Sent, r.Topic)
	}
	if r.Where != "" {
		text += "; where " + r.Where
	}
	return text
}
