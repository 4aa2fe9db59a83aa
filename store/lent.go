package store

import (
	"context"
	"io"
	"os"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// copyFrom runs a COPY. Where the session breaks, pgconn returns while a goroutine
// of its own still reads; of stream nothing is read any more once copyFrom has
// returned, for whoever it belongs to writes the next batch into it.
func copyFrom(ctx context.Context, conn *pgconn.PgConn, stream []byte, sql string) error {
	l := &lent{rest: stream}
	defer l.back()
	_, err := conn.CopyFrom(ctx, l, sql)
	return err
}

// lent reads bytes that are lent until back is called.
type lent struct {
	mu   sync.Mutex
	rest []byte
	over bool
}

// Read fails once the bytes were given back.
func (l *lent) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.over:
		return 0, os.ErrClosed
	case len(l.rest) == 0:
		return 0, io.EOF
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// back waits for a read under way, and lets none follow.
func (l *lent) back() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest, l.over = nil, true
}
