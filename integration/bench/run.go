package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/sinkd/sinkd/integration/lab"
)

// load is one run of sinkd until it has caught up.
type load struct {
	// binary is the one of the bench where it is empty.
	binary  string
	topic   string
	records int
	env     []string
}

// copyRun loads the text file with psql.
func (b *bench) copyRun(ctx context.Context, file string, records int) (sample, error) {
	return b.timed(ctx, records, func(ctx context.Context) (*child, error) {
		return b.startChild(ctx, nil, b.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", b.postgres.URL(),
			"-c", fmt.Sprintf(`\copy %s from '%s'`, table, file))
	})
}

// sinkdRun loads a topic with sinkd.
func (b *bench) sinkdRun(ctx context.Context, l load) (sample, error) {
	env, schema, err := b.pipeline(l.topic, l.env)
	if err != nil {
		return sample{}, err
	}
	s, err := b.timed(ctx, l.records, func(ctx context.Context) (*child, error) {
		return b.startChild(ctx, env, cmp.Or(l.binary, b.sinkd), "run", "--until-caught-up")
	})
	if err != nil {
		return s, err
	}
	return s, b.forget(ctx, schema)
}

// timed runs a child to its end, and counts what everybody spent meanwhile.
func (b *bench) timed(ctx context.Context, records int, start func(context.Context) (*child, error)) (sample, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.opts.limit, fmt.Errorf("no end within %s", b.opts.limit))
	defer cancel()
	before := b.usage()
	c, err := start(ctx)
	if err != nil {
		return sample{}, err
	}
	if err = c.wait(); err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return sample{
		records: records, wall: c.wall, cpu: c.cpu, sys: c.sys, peak: c.peak, usage: b.usage().since(before),
	}, err
}

// pipeline gives the environment of a pipeline that was never run, and the
// schema that it will keep its books in. Its name and address are the only
// settings that differ from the defaults for the measurement's sake.
func (b *bench) pipeline(topic string, env []string) (vars []string, schema string, err error) {
	addr, err := lab.FreeAddr()
	if err != nil {
		return nil, "", err
	}
	b.runs++
	schema = fmt.Sprintf("sinkd_%d", b.runs)
	vars = append([]string{
		"SINKD_KAFKA_BROKERS=" + b.kafka.Addr(),
		"SINKD_DATABASE_URL=" + b.postgres.URL(),
		"SINKD_TOPICS=" + topic,
		"SINKD_TABLE=" + table,
		"SINKD_SCHEMA=" + schema,
		fmt.Sprintf("SINKD_PIPELINE=bench-%d", b.runs),
		"SINKD_HTTP_ADDR=" + addr,
	}, env...)
	return append(vars, b.opts.env...), schema, nil
}

// forget drops the books of a pipeline.
func (b *bench) forget(ctx context.Context, schema string) error {
	_, err := b.conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE")
	return err
}
