package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/migrations"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
	"github.com/sinkd/sinkd/transform"
)

// checkCommand tells whether run would work. It changes nothing.
type checkCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// checked is what check prints as JSON.
type checked struct {
	Pipeline string `json:"pipeline"`
	// OK tells that nothing is to mend.
	OK       bool            `json:"ok"`
	Findings []store.Finding `json:"findings"`
}

// Help shows an example.
func (checkCommand) Help() string {
	return "Looks at the configuration, the brokers and the addresses that they advertise, the topics, the database, the tables and the rights on them. It changes nothing, and joins no consumer group.\n\nExample:\n\n    sinkd check\n    sinkd check --json | jq '.findings[] | select(.ok | not)'"
}

// Run looks at one thing after the other, each as far as the ones before allow.
func (k checkCommand) Run(p *program) error {
	c, err := p.load(config.Flow)
	if err != nil {
		return err
	}
	s, err := openStore(c)
	if err != nil {
		return err
	}
	ck := &check{cfg: c, store: s, out: p.stdout, collects: k.JSON}
	ck.fine("configuration", "pipeline "+c.Pipeline+", consumer group "+c.KafkaGroup)
	for _, r := range c.Routes {
		ck.fine("route", config.Describe(r))
	}
	done := p.at("asking the brokers")
	topics := ck.kafka(p.ctx)
	done()
	done = p.at("asking PostgreSQL")
	ck.postgres(p.ctx, topics)
	done()
	ck.guarantee()
	if k.JSON {
		if err := printJSON(p.stdout, checked{c.Pipeline, !ck.found, ck.findings}); err != nil {
			return err
		}
	}
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
	// collects tells that findings are kept in place of being printed.
	collects bool
	findings []store.Finding
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
	if ck.collects {
		ck.findings = append(ck.findings, store.Finding{
			Name: name, OK: mark != "FAIL", Note: mark == "note", Detail: oneLine(detail), Fix: oneLine(fix),
		})
		return
	}
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
