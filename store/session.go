package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Time that a call may take in all, connecting included.
const (
	callTime = 10 * time.Second
	// stale is after how long a session's connection is looked at before use.
	stale = time.Second
)

// session is one connection that several goroutines use in turn.
type session struct {
	store *Store
	turn  chan struct{} // holds one token: whose turn it is
	conn  *pgx.Conn
	used  time.Time
}

func (c *session) init(s *Store) {
	c.store, c.turn = s, make(chan struct{}, 1)
	c.turn <- struct{}{}
}

// do runs f on the session's connection when it is the caller's turn. The
// connection is clean or closed afterwards. Errors are classified, as those of
// statements on bookkeeping tables where f does not say otherwise.
func (c *session) do(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	select {
	case <-c.turn:
	case <-ctx.Done():
		return Classify(context.Cause(ctx))
	}
	defer func() { c.turn <- struct{}{} }()
	if err := c.connect(ctx); err != nil {
		return Classify(err)
	}
	err := f(ctx, c.conn)
	c.settle()
	if err == nil {
		return nil
	}
	return c.store.classifyOwn(err)
}

// connect makes sure of a connection. One that lay idle may have died in the
// meantime, which need not cost a failed call.
func (c *session) connect(ctx context.Context) error {
	if c.conn != nil && time.Since(c.used) > stale && c.conn.Ping(ctx) != nil {
		c.drop()
	}
	if c.conn != nil {
		return nil
	}
	config, err := c.store.parse()
	if err != nil {
		return err
	}
	c.conn, err = pgx.ConnectConfig(ctx, config)
	return err
}

// settle leaves the connection clean, or drops it.
func (c *session) settle() {
	c.used = time.Now()
	if c.conn.IsClosed() || c.conn.PgConn().TxStatus() != 'I' {
		c.drop()
	}
}

func (c *session) drop() {
	if c.conn == nil {
		return
	}
	c.store.discard(c.conn.PgConn())
	c.conn = nil
}

func (c *session) close(ctx context.Context) {
	select {
	case <-c.turn:
		c.drop()
		c.turn <- struct{}{}
	case <-ctx.Done():
	}
}

// inTx runs f in a transaction on the session's connection.
func (c *session) inTx(ctx context.Context, f func(context.Context, pgx.Tx) error) error {
	return c.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return f(ctx, tx) })
	})
}

// exec runs one statement on the session's connection.
func (c *session) exec(ctx context.Context, sql string, args ...any) error {
	return c.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, c.store.in(sql), args...)
		return err
	})
}
