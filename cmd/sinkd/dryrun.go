package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
	"github.com/sinkd/sinkd/transform"
)

// dryRunCommand writes a batch of each topic and takes it back.
type dryRunCommand struct {
	Records int  `help:"Read at most so many records of each topic." default:"1000" placeholder:"N"`
	Rows    int  `help:"Print so many rows of each topic." default:"5" placeholder:"N"`
	JSON    bool `name:"json" help:"Print JSON."`
}

// Help shows an example.
func (dryRunCommand) Help() string {
	return "Reads a batch of each topic beside the consumer group, from the stored position on, else from SINKD_START; writes it into its table as run would, and takes all of it back. Prints the first rows as the table would have them, and each record that would become a dead letter, with the reason. It creates nothing and moves no position. Exit code 0 also with bad records, 1 where the batch of a topic could not land.\n\nExample:\n\n    sinkd dry-run --records 100"
}

// Run tries one topic after the other.
func (d *dryRunCommand) Run(p *program) error {
	if d.Records < 1 || d.Records > maxSample || d.Rows < 0 {
		return usageError{fmt.Errorf("--records wants a number from 1 to %d, --rows one that is not negative", maxSample)}
	}
	c, err := p.load(config.Flow)
	if err != nil {
		return err
	}
	r := &dryRun{cfg: c, command: d}
	if r.store, err = openStore(c); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), time.Second)
		defer cancel()
		r.store.Close(ctx)
	}()
	topics, err := r.prepare(p.ctx)
	if err != nil {
		return err
	}
	var trials []trial
	for _, topic := range topics {
		done := p.at("writing a batch of topic " + topic + " and taking it back")
		t := r.topic(p.ctx, topic)
		done()
		if errors.As(t.err, new(unreachableError)) {
			return t.err
		}
		t.warn(c)
		trials = append(trials, *t)
	}
	return d.print(p, trials)
}

// dryRun is a dry run under way.
type dryRun struct {
	cfg     *config.Config
	command *dryRunCommand
	store   *store.Store
	tables  *catalog
	// stored are the positions of partitions that were begun.
	stored map[sinkd.Partition]int64
}

// prepare reaches Kafka and Postgres, reads the positions, and gives the topics.
func (d *dryRun) prepare(ctx context.Context) ([]string, error) {
	if err := answering(ctx, d.cfg); err != nil {
		return nil, err
	}
	ctx, cancel := within(ctx)
	defer cancel()
	if err := d.store.Ping(ctx); err != nil {
		return nil, database(err)
	}
	d.tables, d.stored = newCatalog(d.store, d.cfg.Routes), make(map[sinkd.Partition]int64)
	if err := d.positions(ctx); err != nil {
		return nil, err
	}
	names, patterns := subscription(d.cfg.Routes)
	in, err := stream.Inspect(ctx, kafka(d.cfg), names, patterns)
	if err != nil {
		return nil, unreachableKafka(d.cfg, err)
	}
	var topics []string
	for _, r := range d.cfg.Routes {
		topics = append(topics, topicsOf(r, d.cfg.Routes, in.Topics)...)
	}
	if len(topics) == 0 {
		return nil, errors.New("no topic matches; run waits for one")
	}
	return topics, nil
}

// trial is what became of the batch of one topic.
type trial struct {
	Topic string           `json:"topic"`
	Route string           `json:"route"`
	Table string           `json:"table"`
	From  map[string]int64 `json:"from"`
	// Records were read, and became these.
	Records int `json:"records"`
	Written int `json:"rows"`
	Skipped int `json:"skipped"`
	Dead    int `json:"dead"`
	// Columns would be added.
	Columns []string   `json:"columns,omitempty"`
	First   []firstRow `json:"first"`
	Bad     []badOne   `json:"bad"`
	// Notes say what else run would meet.
	Notes []string `json:"notes,omitempty"`
	// Error tells why the batch could not land, Fix what to do about it.
	Error string `json:"error,omitempty"`
	Fix   string `json:"fix,omitempty"`

	err error
}

// fail notes why the batch could not land.
func (t *trial) fail(err error) *trial {
	t.err, t.Error = err, oneLine(err.Error())
	var e *sinkd.Error
	if errors.As(err, &e) && e.Err != nil {
		t.Error, t.Fix = oneLine(e.Err.Error()), e.Hint
	}
	return t
}

// topic tries the batch of one topic.
func (d *dryRun) topic(ctx context.Context, topic string) *trial {
	r := sinkd.RouteOf(d.cfg.Routes, topic)
	schema, name := r.Table(topic)
	t := &trial{
		Topic: topic, Route: config.Describe(r), Table: schema + "." + name, From: map[string]int64{},
		First: []firstRow{}, Bad: []badOne{},
	}
	table, err := d.table(ctx, r, topic)
	if err != nil {
		return t.fail(err)
	}
	b, err := d.read(ctx, t)
	if err != nil {
		return t.fail(err)
	}
	if t.Records = b.Records(); t.Records == 0 {
		return t
	}
	e, err := d.encoder(t, table, b)
	if err != nil {
		return t.fail(err)
	}
	if err := d.rehearse(ctx, t, e, b); err != nil {
		return t.fail(err)
	}
	return t
}

// table reads the topic's table. One that run would create is not there yet,
// and nothing can be written to it.
func (d *dryRun) table(ctx context.Context, r *sinkd.Route, topic string) (*sinkd.Table, error) {
	if err := d.tables.take(r, topic); err != nil {
		return nil, err
	}
	as := *r
	as.Create = false // a dry run creates nothing
	t, err := d.store.Table(ctx, &as, topic)
	var e *sinkd.Error
	if errors.Is(err, store.ErrNoTable) && r.Create && errors.As(err, &e) {
		if err := d.store.Creatable(ctx, r, topic); err != nil {
			return nil, err
		}
		would := *e
		would.Hint = "run would create it: " + d.store.LandingSQL(r, topic)
		return nil, &would
	}
	return t, reached(err)
}

// reached makes the loss of the connection an unreachableError; that something
// is in use is none.
func reached(err error) error {
	if e := store.Classify(err); err != nil && e.Class == sinkd.Transient && (e.SQLState == "" || e.SQLState[:2] == "08") {
		return database(err)
	}
	return err
}

// encoder makes the encoder of the topic, and notes the columns that run would
// add. They are not there, so their fields are left out.
func (d *dryRun) encoder(t *trial, table *sinkd.Table, b *sinkd.Batch) (*transform.Encoder, error) {
	options := transform.Options{Routes: d.cfg.Routes, MaxRecordBytes: int(d.cfg.MaxRecordBytes)}
	e := transform.NewEncoder(options)
	if err := e.Supply(t.Topic, table); err != nil {
		return nil, err
	}
	needs := e.Encode(b)
	e.Recycle(b)
	if len(needs) == 0 {
		return e, nil
	}
	for _, c := range needs[0].Columns {
		t.Columns = append(t.Columns, c.Name+" "+c.Type)
	}
	options.AsIs = true
	e = transform.NewEncoder(options)
	return e, e.Supply(t.Topic, table)
}

// rehearse writes the batch and takes it back.
func (d *dryRun) rehearse(ctx context.Context, t *trial, e *transform.Encoder, b *sinkd.Batch) error {
	on, err := d.store.Rehearse(ctx)
	if err != nil {
		return database(err)
	}
	defer on.Close(ctx)
	r := &stream.Rehearsal{Encoder: e, Apply: on.Apply, Landed: func(ctx context.Context, b *sinkd.Batch) error {
		rows, err := on.Preview(ctx, b, d.command.Rows-len(t.First))
		t.show(rows)
		return err
	}}
	if err := r.Land(ctx, b); err != nil {
		return reached(err)
	}
	t.Written, t.Skipped, t.Dead = r.Count.Rows, r.Count.Skipped, r.Count.Dead
	slices.SortStableFunc(r.Dead, func(a, b sinkd.DeadLetter) int { return compare(a.Record, b.Record) })
	for i := range r.Dead {
		l := &r.Dead[i]
		t.Bad = append(t.Bad, badOne{
			Partition: l.Record.Partition, Offset: l.Record.Offset, Stage: l.Stage, Reason: oneLine(l.Reason), SQLState: l.SQLState,
		})
	}
	return nil
}
