package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
	"github.com/sinkd/sinkd/transform"
)

// inferCommand proposes a table for a topic.
type inferCommand struct {
	Topic  string `arg:"" help:"The topic."`
	Sample int    `help:"Read so many of the earliest records, and so many of the latest." default:"1000" placeholder:"N"`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help shows an example.
func (inferCommand) Help() string {
	return "Reads a sample of the topic beside the consumer group, and prints a CREATE TABLE that takes its records, with comments on what is not sure. It needs no database, and changes nothing. Table, mode and key are those of the topic's route, where the configuration has one.\n\nExample:\n\n    SINKD_KAFKA_BROKERS=localhost:9092 sinkd infer orders | tee orders.sql"
}

// sampleTime is how long a sample may take to be read, once the brokers have
// answered; what was read until then counts.
const sampleTime = 30 * time.Second

// maxSample bounds --sample.
const maxSample = 1_000_000

// inferred is what infer prints as JSON.
type inferred struct {
	Topic string `json:"topic"`
	Table string `json:"table"`
	// Total counts the offsets of the topic, Sampled the records that were read.
	Total   int64 `json:"total"`
	Sampled int   `json:"sampled"`
	*sinkd.Proposal
	SQL string `json:"sql"`
}

// Run reads the sample and prints the proposal.
func (i *inferCommand) Run(p *program) error {
	if i.Sample < 1 || i.Sample > maxSample {
		return usageError{fmt.Errorf("--sample wants a number from 1 to %d", maxSample)}
	}
	c, err := p.load(config.Brokers)
	if err != nil {
		return err
	}
	r := routeOf(c, i.Topic)
	if r.Format != "json" {
		return fmt.Errorf("topic %s: values in format %s have no fields to make columns of", i.Topic, r.Format)
	}
	done := p.at("reading a sample of topic " + i.Topic)
	sample, err := i.read(p.ctx, c)
	done()
	if err != nil {
		return err
	}
	proposal := transform.Infer(r, sample.Records)
	if len(proposal.Columns) == 0 {
		return fmt.Errorf("topic %s: none of %s is a JSON object with fields, so no columns can be proposed: %s",
			i.Topic, counted(len(sample.Records), "record"), noFields(proposal))
	}
	proposal.Notes = append([]string{origin(sample, proposal)}, proposal.Notes...)
	if sample.Err != nil {
		proposal.Notes = append(proposal.Notes, "the sample is not complete: "+oneLine(sample.Err.Error()))
	}
	schema, name := r.Table(i.Topic)
	sql := store.ProposalSQL(schema, name, r.Mode, proposal)
	if !i.JSON {
		p.printf("%s", sql)
		return nil
	}
	return printJSON(p.stdout, inferred{
		Topic: i.Topic, Table: schema + "." + name, Total: sample.Total, Sampled: len(sample.Records), Proposal: proposal, SQL: sql,
	})
}

// read reads the sample. A topic that does not exist, or holds nothing, is a
// finding, brokers that do not answer are not reachable.
func (i *inferCommand) read(ctx context.Context, c *config.Config) (*stream.Sampled, error) {
	ctx, cancel := context.WithTimeout(ctx, reach+sampleTime)
	defer cancel()
	if err := answering(ctx, c); err != nil {
		return nil, err
	}
	sample, err := stream.Sample(ctx, kafka(c), i.Topic, i.Sample)
	switch {
	case errors.Is(err, stream.ErrNoTopic):
		return nil, err
	case err != nil:
		return nil, unreachableKafka(c, err)
	case len(sample.Records) == 0:
		return nil, fmt.Errorf("topic %s holds no records", i.Topic)
	}
	return sample, nil
}

// answering tells why the brokers cannot be used, nil if they can.
func answering(ctx context.Context, c *config.Config) error {
	ctx, cancel := within(ctx)
	defer cancel()
	if err := dialAny(ctx, c.KafkaBrokers); err != nil {
		return unreachableError{hinted{err, "Kafka cannot be used", "check SINKD_KAFKA_BROKERS, and whether a broker listens there"}}
	}
	if err := stream.Answering(ctx, kafka(c)); err != nil {
		return unreachableKafka(c, err)
	}
	return nil
}

// routeOf gives the topic's route, or the one that it would have by default.
func routeOf(c *config.Config, topic string) *sinkd.Route {
	if r := sinkd.RouteOf(c.Routes, topic); r != nil {
		return r
	}
	return &sinkd.Route{
		Topics: []string{topic}, Schema: "public", Name: "{topic}", Mode: sinkd.Append, Format: "json", EpochUnit: c.EpochUnit,
	}
}

// origin tells what the proposal is made from.
func origin(s *stream.Sampled, p *sinkd.Proposal) string {
	text := fmt.Sprintf("proposed by sinkd infer from %d of %s of topic %s", len(s.Records), counted(s.Total, "record"), s.Topic.Name)
	if p.Tombstones > 0 {
		text += ", " + counted(p.Tombstones, "tombstone") + " among them"
	}
	return text + "; NOT NULL where each record of the sample has a value"
}

// noFields says why a proposal has no columns.
func noFields(p *sinkd.Proposal) string {
	if len(p.Notes) > 0 {
		return p.Notes[0]
	}
	if p.Tombstones > 0 && p.Records == 0 {
		return "they are tombstones"
	}
	return "run makes a landing table, which takes any record, where SINKD_TABLE names no table"
}
