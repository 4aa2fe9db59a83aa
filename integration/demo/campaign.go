package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// kills is how often sinkd is killed. Every second kill strikes wherever
	// sinkd happens to be, the others are aimed at the middle of a transaction.
	kills = 5
	// patience is how long sinkd may take until the next kill is due.
	patience = 30 * time.Second
)

// killing is one kill -9, and what Postgres says of it.
type killing struct {
	pid  int
	rows int64 // in the table right after it
	// Of the transactions that had written something, so many died with the
	// process, and so many got their COMMIT in.
	aborted, committed int
}

// campaign kills sinkd while records are sent, every so many rows.
func (d *demo) campaign(ctx context.Context, every int) error {
	var k killing
	for n := range kills {
		err := d.service.start(forKills(), "run")
		if err != nil {
			return err
		}
		if k, err = d.killOnce(ctx, int(k.rows)+every, n%2 == 0); err != nil {
			return err
		}
		d.killed(n+1, k, d.broker.acknowledged())
	}
	return nil
}

// killOnce waits until the table holds so many rows and kills sinkd, aimed or
// not. It gives an error where the rows in the table then do not agree with
// the positions beside them.
func (d *demo) killOnce(ctx context.Context, atRows int, aimed bool) (killing, error) {
	k := killing{pid: d.service.process.Pid()}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	open, err := d.awaitMoment(ctx, atRows, aimed)
	if err != nil {
		return k, err
	}
	if err := d.service.process.Kill(); err != nil {
		return k, err
	}
	if k.rows, err = d.agreement(ctx); err != nil {
		return k, err
	}
	return k, d.fate(ctx, open, &k)
}

// awaitMoment waits until the table holds so many rows, and gives the ids of
// the transactions of sinkd that are open and have written something. Where it
// is to aim, there is one at least, and sinkd is frozen.
func (d *demo) awaitMoment(ctx context.Context, atRows int, aim bool) ([]string, error) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		rows, open, err := d.look(ctx, false)
		if err == nil && rows >= atRows {
			if !aim {
				return open, nil
			}
			if len(open) > 0 {
				open, err = d.freeze(ctx)
			}
			if len(open) > 0 {
				return open, nil
			}
		}
		if err == nil {
			err = d.service.ended()
		}
		if err != nil {
			return nil, d.orStuck(ctx, err)
		}
		select {
		case <-ctx.Done():
			return nil, d.orStuck(ctx, ctx.Err())
		case <-tick.C:
		}
	}
}

// freeze stops sinkd, so that Postgres can tell for sure what is open: what
// waits for a client that is frozen, twice in a row, cannot commit any more.
// Where nothing does, sinkd goes on.
func (d *demo) freeze(ctx context.Context) ([]string, error) {
	if err := d.service.process.Pause(); err != nil {
		return nil, err
	}
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	var before []string
	for range 4 {
		<-tick.C // time for what was sent before to arrive
		_, open, err := d.look(ctx, true)
		if err != nil || len(open) > 0 && slices.Equal(open, before) {
			return open, err
		}
		before = open
	}
	return nil, d.service.process.Resume()
}

// look counts the rows and gives the ids of the transactions of sinkd that
// have written something, either all or those that wait for sinkd.
func (d *demo) look(ctx context.Context, waiting bool) (rows int, open []string, err error) {
	err = d.conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM public.earthquakes), ARRAY(
		SELECT backend_xid::text FROM pg_stat_activity
		 WHERE application_name LIKE 'sinkd/%' AND backend_xid IS NOT NULL AND (NOT $1 OR wait_event_type = 'Client')
		 ORDER BY pid)`,
		waiting).Scan(&rows, &open)
	return rows, open, err
}

// orStuck says what is known where the error is that sinkd did not get on in
// time.
func (d *demo) orStuck(ctx context.Context, err error) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
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

// fate counts what became of the transactions that were open.
func (d *demo) fate(ctx context.Context, xids []string, k *killing) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, xid := range xids {
		for status := "in progress"; status == "in progress"; <-tick.C {
			if err := d.conn.QueryRow(ctx, `SELECT pg_xact_status($1::text::xid8)`, xid).Scan(&status); err != nil {
				return err
			}
			switch status {
			case "aborted":
				k.aborted++
			case "committed":
				k.committed++
			}
		}
	}
	return nil
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
		return d.orStuck(ctx, err)
	}
	if err != nil {
		return fmt.Errorf("sinkd run --until-caught-up: %w; its last lines:\n%s", err, d.service.process.Tail())
	}
	return nil
}
