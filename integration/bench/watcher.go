package main

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// watcher looks for rows, as a reader of the table would.
type watcher struct{ conn *pgx.Conn }

func newWatcher(ctx context.Context, url string) (*watcher, error) {
	conn, err := pgx.Connect(ctx, url)
	return &watcher{conn: conn}, err
}

func (w *watcher) close() { _ = w.conn.Close(context.Background()) }

// watch gives the delays in the order of sending, when the channel is closed
// and all rows were seen. It fails when the service ends.
func (w *watcher) watch(ctx context.Context, sent <-chan sending, ended <-chan struct{}) ([]time.Duration, error) {
	var delays []time.Duration
	waiting := make(map[int64]sending)
	// Often enough to be exact, seldom enough to leave sinkd a processor.
	pause := time.NewTicker(250 * time.Microsecond)
	defer pause.Stop()
	for {
		ticks := pause.C
		if len(waiting) == 0 {
			ticks = nil // There is nothing to look for.
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-ended:
			return nil, errors.New("sinkd has ended")
		case s, open := <-sent:
			if open {
				waiting[s.id] = s
				delays = append(delays, 0)
			} else {
				sent = nil
			}
		case <-ticks:
			seen, err := w.look(ctx, waiting)
			if err != nil {
				return nil, err
			}
			now := time.Now()
			for _, id := range seen {
				delays[id] = now.Sub(waiting[id].at)
				delete(waiting, id)
			}
		}
		if sent == nil && len(waiting) == 0 {
			return delays, nil
		}
	}
}

// look gives those of the rows that are there.
func (w *watcher) look(ctx context.Context, waiting map[int64]sending) ([]int64, error) {
	ids := make([]int64, 0, len(waiting))
	for id := range waiting {
		ids = append(ids, id)
	}
	rows, err := w.conn.Query(ctx, "SELECT id FROM "+table+" WHERE id = ANY($1)", ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}
