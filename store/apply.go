package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// attempts is how often a batch is tried in one call where its COMMIT is lost
// each time; beyond that the caller waits first.
const attempts = 2

// errUnknown tells that a COMMIT had no answer.
var errUnknown = errors.New("COMMIT without an answer")

// apply applies the batch, after finding out what became of an earlier one
// whose COMMIT had no answer.
func (l *lane) apply(ctx context.Context, b *sinkd.Batch) error {
	if err := l.store.refuseBad(b); err != nil {
		return err
	}
	for range attempts {
		if l.unknown != nil {
			if done, err := l.settled(ctx, b); done || err != nil {
				return err
			}
		}
		err := l.attempt(ctx, b)
		if !errors.Is(err, errUnknown) {
			return err
		}
		l.unknown = positionsOf(b.Ranges)
		l.store.cfg.Logger.Warn("COMMIT without an answer", slog.Any("batch", b.ID))
	}
	return Classify(errUnknown)
}

// attempt is one transaction. Its order is the same for every mode: the
// position rows first, so that a fenced writer writes nothing; then rows and
// dead letters; ledger and COMMIT last. All of it shares the transaction,
// because what lands apart from its position is lost or doubled by a crash in
// between.
func (l *lane) attempt(ctx context.Context, b *sinkd.Batch) error {
	if err := l.connect(ctx); err != nil {
		return Classify(err)
	}
	b.Timing = sinkd.Timing{}
	steps := []func(context.Context, *sinkd.Batch) error{l.begin, l.copy, l.bury, l.commit}
	for _, step := range steps {
		if err := step(ctx, b); err != nil {
			l.clean(ctx)
			return err
		}
	}
	l.used = time.Now()
	return nil
}

// begin opens the transaction and moves the positions, in one round trip.
func (l *lane) begin(ctx context.Context, b *sinkd.Batch) error {
	c := columnsOf(b.Ranges)
	pipeline := l.store.cfg.Pipeline
	results, err := l.exchange(ctx,
		request{beginSQL, nil},
		request{lockSQL, []any{pipeline, c.topic, c.partition}},
		request{moveSQL, []any{pipeline, c.topic, c.partition, c.from, c.until, c.epoch, c.claim}})
	if err != nil {
		return l.store.classifyOwn(err)
	}
	moved := results[len(results)-1].Rows
	if len(moved) == len(b.Ranges) {
		return nil
	}
	landed := make([]bool, len(b.Ranges))
	for _, row := range moved {
		landed[int64Of(row[0])-1] = true
	}
	e := &sinkd.Error{Class: sinkd.Fenced}
	for i, ok := range landed {
		if !ok {
			e.Lost = append(e.Lost, b.Ranges[i].Claim)
		}
	}
	return e
}

// copy writes the encoded rows straight into their tables.
func (l *lane) copy(ctx context.Context, b *sinkd.Batch) error {
	start := time.Now()
	for i := range b.Rows {
		if err := l.copyRows(ctx, b, &b.Rows[i]); err != nil {
			return err
		}
	}
	b.Timing.Copy = time.Since(start)
	return nil
}

func (l *lane) copyRows(ctx context.Context, b *sinkd.Batch, r *sinkd.Rows) error {
	ctx, cancel := l.deadline(ctx)
	defer cancel()
	if _, err := l.conn.CopyFrom(ctx, bytes.NewReader(r.Buf), copySQL(r)); err != nil {
		return l.store.explainRows(err, b, r)
	}
	return nil
}

func copySQL(r *sinkd.Rows) string {
	sql := append(make([]byte, 0, 256), "COPY "...)
	sql = append(sql, quote(r.Table.Schema, r.Table.Name)...)
	sep := byte('(')
	for _, c := range r.Columns {
		sql = append(append(sql, sep), pgx.Identifier{c}.Sanitize()...)
		sep = ','
	}
	return string(append(sql, ") FROM STDIN (FORMAT binary)"...))
}

// explainRows classifies the refusal of rows, and names table, topic and the
// record that COPY names.
func (s *Store) explainRows(err error, b *sinkd.Batch, r *sinkd.Rows) error {
	e := s.classify(err)
	if e.Class == sinkd.Transient {
		return e
	}
	e.Table, e.Topic = r.Table.String(), topicOf(b, r)
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return e
	}
	e.Err = &refusal{pg, r.Table}
	if line, _ := copyPlace(pg.Where); line > 0 && line <= len(r.Row) {
		e.Record = b.Record(r.Row[line-1])
	}
	if pg.Code == insufficientPrivilege {
		e.Hint = fmt.Sprintf("GRANT INSERT ON %s TO %s;", quote(r.Table.Schema, r.Table.Name), quote(s.user()))
	}
	return e
}

// topicOf gives the topic of the rows, empty where they are of several.
func topicOf(b *sinkd.Batch, r *sinkd.Rows) string {
	topic := ""
	for _, row := range r.Row {
		of := b.Ranges[row.Range].Claim.Topic
		if topic != "" && of != topic {
			return ""
		}
		topic = of
	}
	return topic
}

// commit writes the ledger and commits, in one round trip. It answers
// errUnknown where no answer came: then the transaction may have landed.
func (l *lane) commit(ctx context.Context, b *sinkd.Batch) error {
	start := time.Now()
	defer func() { b.Timing.Commit = time.Since(start) }()
	results, err := l.exchange(ctx,
		request{ledgerSQL, ledgerArgs(l.store, b)},
		request{commitSQL, nil})
	if len(results) == 2 {
		if tag := results[1].CommandTag.String(); tag != "COMMIT" {
			return &sinkd.Error{Class: sinkd.Transient, Err: fmt.Errorf("the server answered %s to COMMIT", tag)}
		}
		return nil
	}
	if e, ok := errors.AsType[*sinkd.Error](err); ok {
		return e
	}
	if _, answered := errors.AsType[*pgconn.PgError](err); !answered || l.conn.IsClosed() {
		return errUnknown
	}
	if len(results) == 0 {
		return l.store.classifyOwn(err)
	}
	// The COMMIT itself was refused: a deferred constraint, say.
	return l.store.classify(err)
}
