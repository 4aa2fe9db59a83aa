package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
)

// offsetsSet is offsets set.
type offsetsSet struct {
	scope
	why
	To         string `required:"" help:"earliest, latest, an offset, an RFC 3339 time, or group:NAME for what a consumer group has committed." placeholder:"WHERE"`
	DeleteRows bool   `help:"Delete rows and dead letters from there on, where the table has kafka_partition and kafka_offset."`
	Yes        bool   `help:"Do it without asking."`
	JSON       bool   `name:"json" help:"Print JSON."`
}

// Help shows an example.
func (offsetsSet) Help() string {
	return "Without --topic it sets all partitions of the pipeline. Processes that run go on from there; what they have under way does not land. Records behind the new position that are in the table already are written once more, unless --delete-rows deletes their rows before, in the same transaction. With group:NAME, partitions of which the group has committed nothing begin at the start of the log.\n\nExample:\n\n    sinkd offsets set --topic orders --to 2026-03-01T00:00:00Z --delete-rows --yes --reason 'prices were wrong'"
}

// Run sets positions.
func (o *offsetsSet) Run(p *program) error {
	in, err := o.in()
	if err != nil {
		return err
	}
	at, err := target(o.To)
	if err != nil {
		return err
	}
	c, s, err := p.openBooks(config.Flow)
	if err != nil {
		return err
	}
	defer closeStore(s)
	m := &mover{program: p, cfg: c, store: s, in: in, set: o}
	move, err := m.plan(at)
	if err != nil {
		return err
	}
	if err := p.confirm(o.Yes, m.question(move)); err != nil {
		return err
	}
	done := p.at("waiting for transactions under way, and for what is deleted")
	moved, err := s.Move(p.ctx, move)
	done()
	if err != nil {
		return operated(c, err)
	}
	if o.JSON {
		return printJSON(p.stdout, moved)
	}
	return printMoved(p.stdout, moved, o.DeleteRows)
}

// target reads --to.
func target(text string) (stream.Target, error) {
	t := stream.Target{Offset: -1}
	if group, ok := strings.CutPrefix(text, "group:"); ok && group != "" {
		t.Group = group
		return t, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		t.Offset = n
		return t, nil
	}
	var from config.Start
	if err := from.UnmarshalText([]byte(text)); err != nil {
		return t, usageError{errors.New("--to wants earliest, latest, an offset, an RFC 3339 time like 2026-03-01T00:00:00Z, or group:NAME")}
	}
	t.Start = stream.Start(from)
	return t, nil
}

// mover finds out what is to be moved where.
type mover struct {
	*program
	cfg   *config.Config
	store *store.Store
	in    store.Scope
	set   *offsetsSet
}

// plan asks both sides; it changes nothing.
func (m *mover) plan(at stream.Target) (*store.Move, error) {
	ctx, cancel := within(m.ctx)
	defer cancel()
	known, err := m.store.Topics(ctx)
	if err != nil {
		return nil, database(err)
	}
	if err := answering(ctx, m.cfg); err != nil {
		return nil, err
	}
	topics, err := m.topics(ctx, known)
	if err != nil {
		return nil, err
	}
	found, err := stream.Find(ctx, kafka(m.cfg), topics, m.in.Partition, at)
	var outside *stream.OutsideError
	switch {
	case errors.As(err, &outside), errors.Is(err, stream.ErrNoCommits), errors.Is(err, stream.ErrNoTopic):
		return nil, err
	case err != nil:
		return nil, unreachableKafka(m.cfg, err)
	}
	move := &store.Move{Operator: m.set.operator(), To: m.set.To, DeleteRows: m.set.DeleteRows}
	for i := range found {
		t, err := m.topic(ctx, &found[i])
		if err != nil {
			return nil, err
		}
		move.Topics = append(move.Topics, *t)
	}
	return move, nil
}

// topics names what is moved: the topic that was asked for, else those that the
// pipeline has, else, before its first start, those that it would read.
func (m *mover) topics(ctx context.Context, known map[string]sinkd.Topic) ([]string, error) {
	switch {
	case m.in.Topic != "":
		if _, ok := known[m.in.Topic]; !ok && sinkd.RouteOf(m.cfg.Routes, m.in.Topic) == nil {
			return nil, &store.UnknownError{Scope: store.Scope{Topic: m.in.Topic, Partition: -1}, Topics: slices.Sorted(maps.Keys(known))}
		}
		return []string{m.in.Topic}, nil
	case len(known) > 0:
		return slices.Sorted(maps.Keys(known)), nil
	}
	names, patterns := subscription(m.cfg.Routes)
	in, err := stream.Inspect(ctx, kafka(m.cfg), names, patterns)
	if err != nil {
		return nil, unreachableKafka(m.cfg, err)
	}
	var topics []string
	for i := range in.Topics {
		topics = append(topics, in.Topics[i].Name)
	}
	if len(topics) == 0 {
		return nil, errNoTopics
	}
	return topics, nil
}

// topic gives the positions of one topic, and its table where rows go.
func (m *mover) topic(ctx context.Context, found *stream.Targeted) (*store.TopicMove, error) {
	t := &store.TopicMove{Topic: found.Topic, Next: map[int32]int64{}}
	for id, next := range found.Offsets {
		if m.in.Partition < 0 || m.in.Partition == int32(id) {
			t.Next[int32(id)] = next
		}
	}
	if len(t.Next) == 0 {
		return nil, &store.UnknownError{Scope: m.in, Topics: []string{fmt.Sprintf("%s (%d partitions)", found.Name, found.Partitions)}}
	}
	for _, id := range found.Uncommitted {
		if _, ok := t.Next[id]; ok {
			_, _ = fmt.Fprintf(m.stderr, "%s[%d]: the group has committed nothing, it begins at the start of the log\n", found.Name, id)
		}
	}
	if !m.set.DeleteRows {
		return t, nil
	}
	return t, m.table(ctx, t)
}

// table finds the table whose rows are to be deleted. One that is not there has
// none.
func (m *mover) table(ctx context.Context, t *store.TopicMove) error {
	if t.Route = sinkd.RouteOf(m.cfg.Routes, t.Topic.Name); t.Route == nil {
		return fmt.Errorf("--delete-rows: no route takes topic %s, so its table is not known; add one, or leave --delete-rows out", t.Topic.Name)
	}
	as := *t.Route
	as.Create = false
	table, err := m.store.Table(ctx, &as, t.Topic.Name)
	if errors.Is(err, store.ErrNoTable) {
		return nil
	}
	if err != nil {
		return database(err)
	}
	t.Table = table
	if err := store.Erasable(table, t.Route); err != nil {
		return fmt.Errorf("--delete-rows: %w; leave it out, and delete the rows by hand before", err)
	}
	return nil
}

// question is what a person has to agree to.
func (m *mover) question(move *store.Move) string {
	n := 0
	var tables []string
	for i := range move.Topics {
		n += len(move.Topics[i].Next)
		if t := move.Topics[i].Table; t != nil && !slices.Contains(tables, t.String()) {
			tables = append(tables, t.String())
		}
	}
	text := fmt.Sprintf("offsets set moves %s of pipeline %s to %s", counted(n, "position"), m.cfg.Pipeline, move.To)
	if len(tables) > 0 {
		text += " and deletes the rows from there on in " + strings.Join(tables, ", ")
	}
	return text
}

func printMoved(w io.Writer, moved []store.Moved, deleted bool) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	header := "PARTITION\tFROM\tTO"
	if deleted {
		header += "\tROWS DELETED\tDEAD LETTERS DELETED"
	}
	_, _ = fmt.Fprintln(table, header)
	var halted []string
	for i := range moved {
		at := &moved[i]
		from := "-"
		if at.From >= 0 {
			from = strconv.FormatInt(at.From, 10)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d", at, from, at.Next)
		if deleted {
			_, _ = fmt.Fprintf(table, "\t%d\t%d", at.Rows, at.Letters)
		}
		_, _ = fmt.Fprintln(table)
		if at.Halted != "" {
			halted = append(halted, at.String()+" ("+at.Halted+")")
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(halted) > 0 {
		_, _ = fmt.Fprintf(w, "still halted: %s; see sinkd incidents list\n", strings.Join(halted, ", "))
	}
	return nil
}
