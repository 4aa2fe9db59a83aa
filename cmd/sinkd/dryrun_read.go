package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
)

// positions reads where partitions are that were begun.
func (d *dryRun) positions(ctx context.Context) error {
	if d.cfg.Idempotent() {
		names, patterns := subscription(d.cfg.Routes)
		g, err := stream.Group(ctx, kafka(d.cfg), names, patterns)
		if err != nil {
			return unreachableKafka(d.cfg, err)
		}
		for _, p := range g.Partitions {
			if p.Next != nil {
				d.stored[p.Partition] = *p.Next
			}
		}
		return nil
	}
	positions, err := d.store.Positions(ctx)
	if err != nil && !store.NoBooks(err) {
		return database(err)
	}
	for _, p := range positions {
		d.stored[p.Partition] = p.Next
	}
	return nil
}

// read reads the batch.
func (d *dryRun) read(ctx context.Context, t *trial) (*sinkd.Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, reach+sampleTime)
	defer cancel()
	starts, err := d.starts(ctx, t.Topic)
	if err != nil {
		return nil, err
	}
	sample, err := stream.ReadFrom(ctx, kafka(d.cfg), t.Topic, starts, d.command.Records, int64(d.cfg.BatchMaxBytes))
	if err != nil {
		return nil, d.kafkaFailed(err)
	}
	for _, id := range sample.Outside {
		p := sinkd.Partition{Topic: t.Topic, ID: id}
		t.Notes = append(t.Notes, fmt.Sprintf("%s: position %d is not in the log any more; run would take it for lost data (SINKD_ON_DATA_LOSS)", p, starts[id]))
	}
	b := &sinkd.Batch{ID: uuid.New(), Started: time.Now()}
	for _, rec := range sample.Records {
		if n := len(b.Ranges); n == 0 || b.Ranges[n-1].Claim.ID != rec.Partition {
			p := sinkd.Partition{Topic: t.Topic, ID: rec.Partition}
			b.Ranges = append(b.Ranges, sinkd.Range{
				Claim: &sinkd.Claim{Partition: p, Token: uuid.New(), Epoch: -1}, From: rec.Offset, Until: sample.Next[rec.Partition], Epoch: -1,
			})
			t.From[p.String()] = rec.Offset
		}
		last := &b.Ranges[len(b.Ranges)-1]
		last.Records.Append(sinkd.RecordsOf(rec))
	}
	return b, nil
}

func (d *dryRun) kafkaFailed(err error) error {
	if errors.Is(err, stream.ErrNoTopic) {
		return &sinkd.Error{Class: sinkd.Configuration, Err: err, Hint: "create it; run waits for it"}
	}
	return unreachableKafka(d.cfg, err)
}

// starts gives the positions to read from: those stored; where the topic has
// none, the start policy's. A partition that came later begins at its log start.
func (d *dryRun) starts(ctx context.Context, topic string) ([]int64, error) {
	_, starts, err := stream.Starts(ctx, kafka(d.cfg), topic, stream.Start(d.cfg.Start))
	if err != nil {
		return nil, d.kafkaFailed(err)
	}
	begun := false
	stored := make([]int64, len(starts))
	for id := range starts {
		if next, ok := d.stored[sinkd.Partition{Topic: topic, ID: int32(id)}]; ok {
			begun, stored[id] = true, next
		}
	}
	if begun {
		return stored, nil
	}
	return starts, nil
}
