package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/migrations"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
	"github.com/sinkd/sinkd/transform"
)

// checkCommand tells whether run would work. It changes nothing.
type checkCommand struct{}

// Help shows an example.
func (checkCommand) Help() string {
	return "Looks at the configuration, the brokers and the addresses that they advertise, the topics, the database, the tables and the rights on them. It changes nothing, and joins no consumer group.\n\nExample:\n\n    sinkd check"
}

// Run looks at one thing after the other, each as far as the ones before allow.
func (checkCommand) Run(p *program) error {
	c, err := p.load(config.Flow)
	if err != nil {
		return err
	}
	s, err := openStore(c)
	if err != nil {
		return err
	}
	ck := &check{cfg: c, store: s, out: p.stdout}
	ck.fine("configuration", "pipeline "+c.Pipeline+", consumer group "+c.KafkaGroup)
	for _, r := range c.Routes {
		ck.fine("route", config.Describe(r))
	}
	topics := ck.kafka(p.ctx)
	ck.postgres(p.ctx, topics)
	ck.guarantee()
	switch {
	case ck.unreached != nil:
		return errors.Join(errFound, unreachableError{ck.unreached})
	case ck.found:
		return errFound
	}
	return nil
}

// check is a check under way.
type check struct {
	cfg   *config.Config
	store *store.Store
	out   io.Writer
	// found tells that something is to mend, unreached that Kafka or Postgres
	// could not be used.
	found     bool
	unreached error
}

func (ck *check) fine(name, detail string) { ck.line("ok", name, detail, "") }

func (ck *check) note(name, detail string) { ck.line("note", name, detail, "") }

func (ck *check) fail(name, detail, fix string) {
	ck.found = true
	ck.line("FAIL", name, detail, fix)
}

// names is the width of the column of names.
const names = 26

// line prints one result, with what to do about it below. A name that is wider
// than its column has a line of its own.
func (ck *check) line(mark, name, detail, fix string) {
	if utf8.RuneCountInString(name) > names {
		_, _ = fmt.Fprintf(ck.out, "%-4s  %s\n", mark, name)
		mark, name = "", ""
	}
	_, _ = fmt.Fprintf(ck.out, "%-4s  %-*s  %s\n", mark, names, name, oneLine(detail))
	if fix != "" {
		_, _ = fmt.Fprintf(ck.out, "%-4s  %-*s  fix: %s\n", "", names, "", oneLine(fix))
	}
}

// counted gives a number of things: 1 broker, 2 brokers.
func counted[N int | int32 | int64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// kafka looks at brokers and topics, and answers the topics that are there.
func (ck *check) kafka(ctx context.Context) []stream.TopicState {
	ctx, cancel := within(ctx)
	defer cancel()
	if err := dialAny(ctx, ck.cfg.KafkaBrokers); err != nil {
		ck.unreached = err
		ck.fail("kafka", err.Error(), "check SINKD_KAFKA_BROKERS, and whether a broker listens there")
		return nil
	}
	names, patterns := subscription(ck.cfg.Routes)
	in, err := stream.Inspect(ctx, kafka(ck.cfg), names, patterns)
	if err != nil {
		ck.unreached = err
		ck.fail("kafka", err.Error(), kafkaHint(ck.cfg))
		return nil
	}
	ck.fine("kafka", "cluster "+in.Cluster+", "+counted(len(in.Brokers), "broker"))
	for _, b := range in.Brokers {
		if b.Err != nil {
			ck.fail("broker "+b.Addr, "is advertised, and cannot be reached from here: "+b.Err.Error(), "mend advertised.listeners of the broker")
		}
	}
	ck.topics(in)
	return in.Topics
}

// source is the variable that names the topics.
func (ck *check) source() string {
	if ck.cfg.Set("SINKD_ROUTES") {
		return "SINKD_ROUTES"
	}
	return "SINKD_TOPICS"
}

// topics looks at the topics.
func (ck *check) topics(in *stream.Inspection) {
	for _, name := range in.Missing {
		ck.fail("topic "+name, "does not exist; run waits for it", "create it, or mend "+ck.source())
	}
	if len(in.Topics) == 0 && len(in.Missing) == 0 {
		ck.fail("topics", "none matches the pattern; run waits for one", "mend "+ck.source())
	}
	for _, r := range ck.cfg.Routes {
		if r.Pattern != nil && len(in.Topics) > 0 && len(topicsOf(r, ck.cfg.Routes, in.Topics)) == 0 {
			ck.note("route", "no topic is left to "+config.Describe(r))
		}
	}
	for i := range in.Topics {
		t := &in.Topics[i]
		ck.fine("topic "+t.Name, counted(t.Partitions, "partition")+", "+counted(t.Records, "record"))
		if !t.HasID() {
			ck.note("topic "+t.Name, "the brokers give no topic ids: that it was deleted and made anew cannot be noticed")
		}
	}
}

// dialAny tells why none of the brokers answers, nil if one does.
func dialAny(ctx context.Context, brokers []string) error {
	var dialer net.Dialer
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	failures := make([]error, len(brokers))
	var dialing sync.WaitGroup
	for i, broker := range brokers {
		dialing.Go(func() {
			conn, err := dialer.DialContext(ctx, "tcp", broker)
			if err == nil {
				_ = conn.Close()
			}
			failures[i] = err
		})
	}
	dialing.Wait()
	for _, err := range failures {
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("no broker can be reached: %w", errors.Join(failures...))
}

// kafkaHint says what to look at where a broker listens, and does not talk.
func kafkaHint(c *config.Config) string {
	switch {
	case c.KafkaSASLMechanism != "":
		return "check SINKD_KAFKA_SASL_MECHANISM, SINKD_KAFKA_SASL_USERNAME and SINKD_KAFKA_SASL_PASSWORD, and whether the listener wants TLS (SINKD_KAFKA_TLS)"
	case c.TLS != nil:
		return "check whether the listener wants TLS, and SINKD_KAFKA_TLS_CA"
	}
	return "check whether the listener wants TLS (SINKD_KAFKA_TLS=true) or a login (SINKD_KAFKA_SASL_MECHANISM)"
}

// unreachableKafka is the error of a command that could not use the brokers.
func unreachableKafka(c *config.Config, err error) error {
	return unreachableError{hinted{err, "Kafka cannot be used", kafkaHint(c)}}
}

// postgres looks at the database, then at the table of each topic.
func (ck *check) postgres(ctx context.Context, topics []stream.TopicState) {
	ctx, cancel := within(ctx)
	defer cancel()
	defer ck.store.Close(ctx)
	url, err := ck.cfg.DatabaseURL()
	if err != nil {
		ck.fail("postgres", err.Error(), "mend SINKD_DATABASE_URL_FILE")
		return
	}
	sessions, err := ck.store.CheckSessions(ctx)
	if err == nil && sessions.Shared {
		ck.finding(&sessions)
		return
	}
	if err == nil {
		err = ck.reach(ctx, url)
	}
	if err != nil {
		ck.unreached = database(err)
		ck.fail("postgres", ck.unreached.Error(), "")
		return
	}
	for _, f := range slices.Insert(ck.store.Check(ctx), 1, sessions) {
		ck.finding(&f)
	}
	tables := newCatalog(ck.store, ck.cfg.Routes)
	for _, r := range ck.cfg.Routes {
		for _, topic := range topicsOf(r, ck.cfg.Routes, topics) {
			ck.table(ctx, tables, topic)
		}
	}
}

// finding prints what the store has found.
func (ck *check) finding(f *store.Finding) {
	switch {
	case f.Note:
		ck.line("note", f.Name, f.Detail, f.Fix)
	case f.OK:
		ck.fine(f.Name, f.Detail)
	default:
		ck.fail(f.Name, f.Detail, f.Fix)
	}
}

// reach tells why the database cannot be asked, nil if it can. That a right is
// missing on the bookkeeping is found later.
func (ck *check) reach(ctx context.Context, url string) error {
	if ck.cfg.Idempotent() {
		return ck.store.Ping(ctx)
	}
	_, err := migrations.Status(ctx, url, ck.cfg.Schema)
	if rights := (*migrations.RightsError)(nil); errors.As(err, &rights) {
		return nil
	}
	return err
}

// topicsOf gives the topics that the route takes: its literal names, there or
// not, or what its pattern matches; those of an earlier route left out.
func topicsOf(r *sinkd.Route, routes []*sinkd.Route, topics []stream.TopicState) []string {
	candidates := r.Topics
	if r.Pattern != nil {
		for i := range topics {
			candidates = append(candidates, topics[i].Name)
		}
	}
	var names []string
	for _, name := range candidates {
		if sinkd.RouteOf(routes, name) == r {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// table looks whether the topic's rows would fit its table.
func (ck *check) table(ctx context.Context, tables *catalog, topic string) {
	r := sinkd.RouteOf(ck.cfg.Routes, topic)
	as := *r
	as.Create = false // check changes nothing
	schema, name := r.Table(topic)
	label := "table " + schema + "." + name
	err := tables.take(r, topic)
	var t *sinkd.Table
	if err == nil {
		t, err = ck.store.Table(ctx, &as, topic)
	}
	if err == nil {
		e := transform.NewEncoder(transform.Options{Routes: ck.cfg.Routes, MaxRecordBytes: int(ck.cfg.MaxRecordBytes)})
		err = e.Supply(topic, t)
	}
	if err == nil && r.Unknown == sinkd.AddColumns {
		err = ck.store.Extendable(ctx, r, topic)
	}
	create := r.Create && errors.Is(err, store.ErrNoTable)
	if create {
		err = ck.store.Creatable(ctx, r, topic)
	}
	var e *sinkd.Error
	switch {
	case err == nil && create:
		ck.note(label, "does not exist yet: run creates it, a row for each record of "+topic)
	case err == nil:
		ck.fine(label, counted(len(t.Columns), "column")+", takes topic "+topic+ways(r, t))
		ck.limits(ctx, r, t)
	case errors.As(err, &e):
		ck.fail(label, strings.TrimPrefix(e.Err.Error(), label+": "), e.Hint)
	default:
		ck.fail(label, err.Error(), "")
	}
}

// limits says what of the table limits what is written to it.
func (ck *check) limits(ctx context.Context, r *sinkd.Route, t *sinkd.Table) {
	findings, err := ck.store.CheckTable(ctx, r, t)
	for i := range findings {
		ck.finding(&findings[i])
	}
	if err != nil {
		ck.fail("table "+t.String(), err.Error(), "")
	}
}

// ways says how rows enter the table, where that is not by appending.
func ways(r *sinkd.Route, t *sinkd.Table) string {
	if r.Mode == sinkd.Append {
		return ""
	}
	return ", " + string(r.Mode) + " by the unique index on (" + strings.Join(t.Key, ", ") + ")"
}

// guarantee says what the configuration promises, and what limits that.
func (ck *check) guarantee() {
	promise, limits := guarantee(ck.cfg)
	ck.fine("guarantee", promise)
	for _, limit := range limits {
		ck.note("limit", limit)
	}
}
