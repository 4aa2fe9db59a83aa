package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd/integration/lab"
)

// table is the one that everything is loaded into.
const table = "bench"

// bench is the machinery: servers, programs, and what was made so far.
type bench struct {
	opts     options
	lab      *lab.Lab
	kafka    *lab.Kafka
	postgres *lab.Postgres
	conn     *pgx.Conn
	admin    *kadm.Client
	psql     string
	sinkd    string
	// topics and files are made once and used by all rounds.
	topics map[string]bool
	files  map[string]string
	runs   int
	warm   bool
}

// open starts the servers and builds sinkd.
func open(ctx context.Context, opts options) (*bench, error) {
	b := &bench{opts: opts, topics: make(map[string]bool), files: make(map[string]string)}
	if err := b.start(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) start(ctx context.Context) error {
	var err error
	if b.psql, err = exec.LookPath("psql"); err != nil {
		return lab.Missing{Part: "psql", Fix: "apt-get install postgresql-client", Cause: err}
	}
	if b.lab, err = lab.New(ctx, ""); err != nil {
		return err
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	b.postgres, err = b.lab.StartPostgres(lab.PostgresOptions{Settings: map[string]string{"fsync": "on"}})
	if err != nil {
		return err
	}
	if b.conn, err = pgx.Connect(ctx, b.postgres.URL()); err != nil {
		return err
	}
	if b.kafka, err = b.lab.StartKafka(lab.KafkaOptions{}); err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka.Addr()))
	if err != nil {
		return err
	}
	b.admin = kadm.NewClient(client)
	return nil
}

// build builds sinkd, unless a binary was given.
func (b *bench) build(ctx context.Context) error {
	if b.opts.sinkd != "" {
		var err error
		b.sinkd, err = filepath.Abs(b.opts.sinkd)
		return err
	}
	b.sinkd = filepath.Join(b.lab.Dir(), "sinkd")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", b.sinkd, "github.com/sinkd/sinkd/cmd/sinkd")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build sinkd: %w\n%s", err, out)
	}
	return nil
}

func (b *bench) close() {
	if b.conn != nil {
		_ = b.conn.Close(context.Background())
	}
	if b.admin != nil {
		b.admin.Close()
	}
	if b.lab == nil {
		return
	}
	if err := b.lab.Close(); err != nil {
		b.say("cleaning up: %v", err)
	}
}

// fresh makes the table anew, and writes out what earlier runs left to write,
// so that no run pays for another.
func (b *bench) fresh(ctx context.Context, columns string) error {
	for _, sql := range []string{
		"DROP TABLE IF EXISTS " + table,
		"CREATE TABLE " + table + " (" + columns + ")",
		"CHECKPOINT",
	} {
		if _, err := b.conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// path names a file below the lab's directory.
func (b *bench) path(name string) string { return filepath.Join(b.lab.Dir(), name) }

// say tells the person who waits what is going on.
func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stderr, format+"\n", args...)
}
