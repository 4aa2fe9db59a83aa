package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// kills is how often sinkd is killed, and patience how long it may take until
// the next kill is due.
const (
	kills    = 4
	patience = 30 * time.Second
)

// killing is one kill -9, and what Postgres says of it.
type killing struct {
	pid  int
	rows int64 // in the table right after it
	// open transactions died with the process, after they had written.
	open int
}

// killOnce starts sinkd, waits until the table holds so many rows and a
// transaction of sinkd is open, and kills it. It gives an error where the rows
// in the table then do not agree with the positions beside them.
func (d *demo) killOnce(ctx context.Context, atRows int) (killing, error) {
	if err := d.service.start(forKills(), "run"); err != nil {
		return killing{}, err
	}
	k := killing{pid: d.service.process.Pid()}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	open, err := d.awaitTransaction(ctx, atRows)
	if err != nil {
		return k, err
	}
	if err := d.service.process.Kill(); err != nil {
		return k, err
	}
	if k.rows, err = d.agreement(ctx); err != nil {
		return k, err
	}
	k.open, err = d.died(ctx, open)
	return k, err
}

// awaitTransaction waits for a moment at which sinkd is in the middle of a
// transaction that has written something, and gives the ids of those.
func (d *demo) awaitTransaction(ctx context.Context, atRows int) (open []string, err error) {
	const look = `SELECT (SELECT count(*) FROM public.earthquakes),
		(SELECT array_agg(backend_xid::text) FROM pg_stat_activity WHERE application_name LIKE 'sinkd/%')`
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		var rows int
		var xids []*string
		if err := d.conn.QueryRow(context.WithoutCancel(ctx), look).Scan(&rows, &xids); err != nil {
			return nil, err
		}
		for _, xid := range xids {
			if xid != nil && rows >= atRows {
				open = append(open, *xid)
			}
		}
		if len(open) > 0 {
			return open, nil
		}
		if err := d.service.ended(); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, d.stuck(ctx)
		case <-tick.C:
		}
	}
}

// stuck says what is known where sinkd did not get on in time.
func (d *demo) stuck(ctx context.Context) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.Cause(ctx)
	}
	return fmt.Errorf("sinkd did not get on within %s; its last lines:\n%s", patience, d.service.process.Tail())
}

// agreement gives the rows in the table, read in one snapshot with the
// positions: as these begin at 0, their sum is what should be there.
func (d *demo) agreement(ctx context.Context) (rows int64, err error) {
	var dead, positions int64
	err = d.conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM public.earthquakes),
		(SELECT count(*) FROM sinkd.dead_letters), (SELECT sum(next_offset)::bigint FROM sinkd.offsets)`).
		Scan(&rows, &dead, &positions)
	if err == nil && rows+dead != positions {
		err = fmt.Errorf("after a kill there are %d rows and %d dead letters, but the positions say %d", rows, dead, positions)
	}
	return rows, err
}

// died counts the transactions that were rolled back; the others had been
// committed in the moment between the look and the kill.
func (d *demo) died(ctx context.Context, xids []string) (n int, err error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, xid := range xids {
		for status := "in progress"; status == "in progress"; <-tick.C {
			err := d.conn.QueryRow(ctx, `SELECT pg_xact_status($1::text::xid8)`, xid).Scan(&status)
			if err != nil {
				return n, err
			}
			if status == "aborted" {
				n++
			}
		}
	}
	return n, nil
}

// catchUp lets sinkd run until all that was sent has landed.
func (d *demo) catchUp(ctx context.Context) error {
	if err := d.service.start(forKills(), "run", "--until-caught-up"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := d.service.process.Wait(ctx)
	if err != nil && ctx.Err() != nil {
		return d.stuck(ctx)
	}
	if err != nil {
		return fmt.Errorf("sinkd run --until-caught-up: %w; its last lines:\n%s", err, d.service.process.Tail())
	}
	return nil
}
