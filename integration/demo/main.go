// Command demo shows on a machine with nothing but Go that sinkd moves a Kafka
// topic into PostgreSQL exactly once: a week of real earthquakes is sent to a
// broker in this process while sinkd is killed with kill -9 again and again,
// and then SQL says what landed, what could not and why, and that nothing was
// lost or doubled.
//
//	make demo          ends by itself; exit code 0 if all of it held, else 1
//	make demo KEEP=1   leaves all running until Ctrl-C, and prints the addresses
//
// It owns what it starts (the broker, a private Postgres, sinkd) and removes
// it all. It never touches a server that it has not started.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/sinkd/sinkd/integration/lab"
)

// sendingTime is the time that the records take to be sent, so that sinkd is
// killed while more come in.
const sendingTime = 4 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	held, err := run(ctx, os.Getenv("KEEP") != "", os.Stdout)
	switch {
	case ctx.Err() != nil:
		fmt.Println("\nStopped.")
	case err != nil:
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
	}
	stop()
	if !held || err != nil {
		os.Exit(1)
	}
}

// demo is one showing.
type demo struct {
	report
	broker   *broker
	postgres *lab.Postgres
	service  *service
	conn     *pgx.Conn
}

// run shows it, and tells whether exactly once held. All that it started has
// ended when it returns.
func run(ctx context.Context, keep bool, out io.Writer) (held bool, err error) {
	d := &demo{report: report{out: out, begin: time.Now()}}
	d.title("sinkd demo: from Kafka to PostgreSQL exactly once, however often it is killed")
	quakes, err := readWeek()
	if err != nil {
		return false, err
	}
	records := breakSome(polls(quakes), 2)
	d.data(len(quakes), records)
	l, err := lab.New(ctx, "")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if d.broker, err = startBroker(); err != nil {
		return false, err
	}
	defer d.broker.close()
	if err := d.prepare(ctx, l); err != nil {
		return false, err
	}
	defer d.conn.Close(context.WithoutCancel(ctx))
	if err := d.show(ctx, records); err != nil {
		return false, err
	}
	p, err := d.verdict(ctx)
	if err == nil && keep {
		err = d.keep(ctx)
	}
	return p.holds(), err
}

// prepare starts Postgres and builds sinkd, both at the same time, and makes
// the table.
func (d *demo) prepare(ctx context.Context, l *lab.Lab) error {
	d.step("starting a private Postgres and building sinkd (the first build takes a while)")
	both, building := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		d.postgres, err = l.StartPostgres(lab.PostgresOptions{})
		return err
	})
	both.Go(func() (err error) {
		d.service, err = buildService(building, l)
		return err
	})
	if err := both.Wait(); err != nil {
		return err
	}
	d.service.configure(d.broker.addr, d.postgres.URL())
	var err error
	if d.conn, err = connect(ctx, d.postgres.URL()); err != nil {
		return err
	}
	if _, err := d.conn.Exec(ctx, schema); err != nil {
		return err
	}
	var version string
	if err := d.conn.QueryRow(ctx, "SHOW server_version").Scan(&version); err != nil {
		return err
	}
	version, _, _ = strings.Cut(version, " ")
	d.step("broker at %s, Postgres %s at %s", d.broker.addr, version, d.postgres.Addr())
	return nil
}

// show sends the records, kills sinkd on the way, and lets it catch up.
func (d *demo) show(ctx context.Context, records []record) error {
	d.step("sending to topic %s, %d partitions; sinkd takes %d records a transaction at most, and is killed", topic, partitions, batch)
	both, sending := errgroup.WithContext(ctx)
	both.Go(func() error { return d.broker.produce(sending, records, sendingTime) })
	both.Go(func() error { return d.campaign(sending, len(records)/(kills+2)) })
	if err := both.Wait(); err != nil {
		return err
	}
	if err := d.catchUp(ctx); err != nil {
		return err
	}
	d.step("all is sent, and sinkd run --until-caught-up has ended with exit code 0")
	log, err := d.broker.log(ctx)
	if err != nil {
		return err
	}
	return keepSent(ctx, d.conn, log)
}
