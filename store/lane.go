package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sinkd/sinkd"
)

const (
	// renewal is how old a lane's session gets: a backend's caches grow.
	renewal = 30 * time.Minute
	// grace is what a call has beyond the server's own timeout.
	grace = 5 * time.Second
)

// The statements that every batch runs, prepared once on a lane's session.
const (
	beginSQL = `BEGIN`

	// In key order, always and everywhere, so that two writers never wait for
	// each other crosswise.
	lockSQL = `
SELECT r.n, o.claim, o.next_offset
  FROM unnest($2::text[], $3::integer[]) WITH ORDINALITY AS r(topic, partition, n)
  JOIN {s}.offsets AS o
    ON o.pipeline = $1 AND o.topic = r.topic AND o.partition = r.partition
 ORDER BY o.topic, o.partition
   FOR UPDATE OF o`

	// The compare-and-set that safety rests on. The offset is compared because
	// a position may go back (failover to a lagging standby, restore) and on
	// (a COMMIT that was taken for lost). The claim is compared because an
	// offset can agree by chance after a reset, a recreated topic or another
	// writer's turn, with rows that are no longer wanted.
	moveSQL = `
UPDATE {s}.offsets AS o
   SET next_offset = r.until_offset, leader_epoch = r.leader_epoch
  FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::integer[], $7::uuid[])
       WITH ORDINALITY AS r(topic, partition, from_offset, until_offset, leader_epoch, claim, n)
 WHERE o.pipeline = $1
   AND o.topic = r.topic
   AND o.partition = r.partition
   AND o.next_offset = r.from_offset
   AND o.claim = r.claim
RETURNING r.n`

	ledgerSQL = `
INSERT INTO {s}.batches (batch_id, pipeline, topic, partition, generation, kind, from_offset, until_offset,
       records, rows, skipped, dead, bytes, first_timestamp, last_timestamp, started_at, writer)
SELECT $2, $1, r.topic, r.partition, r.generation, 'batch', r.from_offset, r.until_offset,
       r.records, r.rows, r.skipped, r.dead, r.bytes, r.first, r.last, $3, $4
  FROM unnest($5::text[], $6::integer[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
              $12::bigint[], $13::bigint[], $14::bigint[], $15::timestamptz[], $16::timestamptz[])
       AS r(topic, partition, generation, from_offset, until_offset, records, rows, skipped, dead, bytes, first, last)`

	commitSQL = `COMMIT`
)

// lane is one parallel writer: a session on which batches are applied, one at
// a time, by one goroutine.
type lane struct {
	store *Store
	conn  *pgconn.PgConn
	// pid is that of the session's backend, 0 for none; people ask for it from
	// other goroutines.
	pid   atomic.Uint32
	born  time.Time
	used  time.Time
	types *pgtype.Map
	// bare tells that the session prepares nothing on bookkeeping tables.
	bare bool
	// prepared are the session's statements by their text, named how many there
	// ever were.
	prepared map[string]*pgconn.StatementDescription
	named    int
	// stages are the session's temporary tables, shapes what it read of the
	// tables that are written through them.
	stages []*stage
	shapes map[*sinkd.Table]*shape
	// spare is the buffer of streams that are written anew.
	spare []byte
	// buffers are those of the loads that parted in the batch in work.
	buffers [][]byte
	// trials are the quicker ways into tables.
	trials map[trialKey]*trial
	// sifts are the tables whose refused rows may be looked for all at once.
	sifts map[trialKey]*trial
	// unknown are the ranges of a batch whose COMMIT had no answer, with what
	// it skipped; nothing else is applied before that is resolved.
	unknown []sinkd.Range
	// orphan is the backend of that COMMIT, where no position rows tell what
	// became of it.
	orphan uint32
}

// connect makes sure of a session that is fit for a batch.
func (l *lane) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if l.conn != nil && (l.conn.IsClosed() || time.Since(l.born) > renewal || len(l.stages) > maxStages ||
		time.Since(l.used) > stale && l.conn.Ping(ctx) != nil) {
		l.drop()
	}
	if l.conn != nil {
		return nil
	}
	config, err := l.store.parse()
	if err != nil {
		return err
	}
	if l.conn, err = pgconn.ConnectConfig(ctx, &config.Config); err != nil {
		l.conn = nil
		return err
	}
	l.pid.Store(pidOf(l.conn))
	l.born, l.used = time.Now(), time.Now()
	l.types = pgtype.NewMap()
	l.prepared, l.named, l.stages, l.shapes = make(map[string]*pgconn.StatementDescription), 0, nil, nil
	statements := []string{beginSQL, sameSQL, commitSQL}
	if !l.bare && !l.store.cfg.Idempotent {
		statements = append(statements, lockSQL, moveSQL, serializeSQL, burySQL, budgetSQL, allBadSQL, ledgerSQL)
	}
	if err := l.prepare(ctx, statements...); err != nil {
		l.drop()
		return l.store.classifyOwn(err)
	}
	return nil
}

// deadline bounds one call by more than the server's own timeout for its
// statements, for when the server no longer answers at all.
func (l *lane) deadline(ctx context.Context, statements int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(max(1, statements))*l.store.cfg.StatementTimeout+grace)
}

// clean leaves the session without a transaction, or drops it.
func (l *lane) clean(ctx context.Context) {
	if l.conn == nil {
		return
	}
	if !l.conn.IsClosed() && l.conn.TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		_ = l.conn.Exec(ctx, "ROLLBACK").Close()
	}
	if l.conn.IsClosed() || l.conn.TxStatus() != 'I' {
		l.drop()
	}
}

func (l *lane) drop() {
	if l.conn != nil {
		l.pid.Store(0)
		l.store.discard(l.conn)
		l.conn = nil
	}
}
