package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
)

// contest lets psql and ways to run sinkd load the same rows in turn.
type contest struct {
	name     string
	data     *dataset
	records  int
	rounds   int
	variants []variant
	// held is what the table, which has a key then, holds before; its records
	// are heldRecords. psql merges the rows where merges, by statement.
	held        *dataset
	heldRecords int
	merges      bool
}

// variant is one way to run sinkd.
type variant struct {
	name       string
	partitions int
	env        []string
}

func (c *contest) title() string { return c.name }

func (c *contest) narrowed(run *regexp.Regexp) scenario {
	kept := *c
	kept.variants = slices.DeleteFunc(slices.Clone(c.variants), func(v variant) bool {
		return !run.MatchString(v.name)
	})
	if len(kept.variants) == 0 {
		return nil
	}
	return &kept
}

// What psql's rounds are called in results.
const (
	copyName  = `psql \copy`
	mergeName = "psql merge"
)

// race is a contest while it is run: the first way is psql's.
type race struct {
	*contest
	*bench
	ways []way
	// rows is how many the table holds in the end.
	rows int64
	want fingerprint
}

// way is one of those that take turns.
type way struct {
	result
	load func(ctx context.Context) (sample, error)
}

func (c *contest) measure(ctx context.Context, b *bench) ([]result, error) {
	r := &race{contest: c, bench: b}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	if err := r.warmUp(ctx); err != nil {
		return nil, err
	}
	for round := range c.rounds {
		if err := r.round(ctx, round); err != nil {
			return nil, err
		}
	}
	results := r.results()
	printRates(os.Stdout, c.heading(b), results)
	if b.opts.profile == "" {
		return results, nil
	}
	for i, v := range c.variants {
		if err := b.profileRun(ctx, c, v, &results[i+1]); err != nil {
			return results, err
		}
	}
	return results, nil
}

func (c *contest) heading(b *bench) string {
	return fmt.Sprintf("%s: %d records of %d bytes, %d rounds", c.name, c.records, c.data.size(b.opts.seed), c.rounds)
}

// prepare fills topics and text files.
func (r *race) prepare(ctx context.Context) error {
	if err := r.rival(); err != nil {
		return err
	}
	for _, v := range r.variants {
		if _, err := r.topic(ctx, r.data, v.partitions, r.records); err != nil {
			return err
		}
		r.ways = append(r.ways, r.way(v, v.name, r.sinkd))
	}
	if r.opts.against != "" {
		for _, v := range r.variants {
			r.ways = append(r.ways, r.way(v, v.name+", the other", r.opts.against))
		}
	}
	return nil
}

// way makes a way of sinkd's, by a binary.
func (r *race) way(v variant, name, binary string) way {
	return way{result: result{name: name}, load: func(ctx context.Context) (sample, error) {
		return r.sinkdRun(ctx, load{binary: binary, topic: topicName(r.data, v.partitions), records: r.records, env: v.env})
	}}
}

// rival makes psql's way.
func (r *race) rival() error {
	r.rows = int64(r.records)
	partitions := r.variants[0].partitions
	if !r.merges {
		file, err := r.textFile(r.data, partitions, r.records)
		r.ways = []way{{result: result{name: copyName, rival: true}, load: func(ctx context.Context) (sample, error) {
			return r.copyRun(ctx, file, r.records)
		}}}
		return err
	}
	script, rows, err := r.mergeScript(r.contest, partitions)
	r.rows = rows
	r.ways = []way{{result: result{name: mergeName, rival: true}, load: func(ctx context.Context) (sample, error) {
		return r.scriptRun(ctx, script, r.records)
	}}}
	return err
}

// warmUp lets sinkd load once before anything counts: a broker that was just
// started compiles its code on the way, and makes the topic of all groups.
func (r *race) warmUp(ctx context.Context) error {
	if r.warm {
		return nil
	}
	r.warm = true
	if err := r.table(ctx, r.bench); err != nil {
		return err
	}
	_, err := r.ways[1].load(ctx)
	return err
}

// round lets each way load once. psql is the first in the first round, since
// the others are compared with what it loaded; then the order rotates.
func (r *race) round(ctx context.Context, round int) error {
	for k := range r.ways {
		w := &r.ways[(k+round)%len(r.ways)]
		if err := r.table(ctx, r.bench); err != nil {
			return err
		}
		r.settle(ctx)
		s, err := r.written(ctx, w.load)
		if err != nil {
			return err
		}
		got, err := r.fingerprint(ctx)
		if err != nil {
			return err
		}
		if r.want == (fingerprint{}) {
			r.want = got
		}
		if got != r.want || got.rows != r.rows {
			return fmt.Errorf("%s left other rows: %+v, want %d, %+v", w.name, got, r.rows, r.want)
		}
		r.say("round %d/%d, %s: %.2f s, CPU %.2f s (system %.2f), others %.0f %%", round+1, r.rounds, w.name,
			s.wall.Seconds(), s.cpu.Seconds(), s.sys.Seconds(), 100*s.disturbed())
		w.samples = append(w.samples, s)
	}
	return nil
}

// results compares each way with psql, round by round.
func (r *race) results() []result {
	results := make([]result, 0, len(r.ways))
	base := r.ways[0].samples
	for _, w := range r.ways {
		for round, s := range w.samples {
			w.ratios = append(w.ratios, s.rate()/base[round].rate())
		}
		w.ratio = median(w.ratios)
		results = append(results, w.result)
	}
	return results
}
