package store

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/sinkd/sinkd"
)

// orphanSQL tells whether backend $1 is still there, as one of this process's
// ($2) other than the one that asks, and ends it.
const orphanSQL = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE pid = $1 AND pid <> pg_backend_pid() AND usename = session_user AND application_name = $2`

// errOrphan tells that a backend of ours does not end.
var errOrphan = errors.New("a backend whose COMMIT had no answer has not ended yet")

// outlive ends the backend of a COMMIT without an answer, and waits until it is
// gone, whatever became of the transaction: the batch is applied again. Were it
// not waited for, the old transaction could yet land after newer batches, and
// put its rows over theirs.
func (l *lane) outlive(ctx context.Context) error {
	if err := l.connect(ctx); err != nil {
		return Classify(err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	pause := time.NewTicker(sampling / 10)
	defer pause.Stop()
	for {
		gone, err := l.alone(ctx)
		if err != nil {
			l.clean(context.WithoutCancel(ctx))
			return Classify(err)
		}
		if gone {
			break
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			return &sinkd.Error{Class: sinkd.Transient, Err: errOrphan}
		}
	}
	l.unknown, l.orphan = nil, 0
	l.store.cfg.Metrics.commitUnknown.WithLabelValues(again.String()).Inc()
	l.store.cfg.Logger.Info("COMMIT without an answer was resolved", slog.String("resolved", again.String()))
	return nil
}

// alone asks for the end of the orphan, and tells whether it is gone.
func (l *lane) alone(ctx context.Context) (bool, error) {
	result := l.conn.ExecParams(ctx, orphanSQL,
		[][]byte{strconv.AppendUint(nil, uint64(l.orphan), 10), []byte(l.store.prefix() + l.store.cfg.Writer)}, nil, nil, nil).Read()
	return len(result.Rows) == 0, result.Err
}
