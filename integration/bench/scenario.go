package main

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// scenario is something that can be measured by itself.
type scenario interface {
	title() string
	// narrowed gives the scenario with only those parts whose names match, nil
	// if none does.
	narrowed(run *regexp.Regexp) scenario
	measure(ctx context.Context, b *bench) ([]result, error)
}

// scenarios lists all there is to measure.
func scenarios(o options) []scenario {
	byDefault, oneLane := []string(nil), []string{"SINKD_LANES=1"}
	return slices.Concat([]scenario{
		&contest{name: "append", data: narrow, records: o.records, rounds: o.rounds, variants: []variant{
			{name: "append/4", partitions: 4, env: byDefault},
			{name: "append/4/1-lane", partitions: 4, env: oneLane},
			{name: "append/100", partitions: 100, env: byDefault},
		}},
		&contest{name: "landing", data: landing, records: o.records, rounds: o.rounds, variants: []variant{
			{name: "landing/4", partitions: 4, env: byDefault},
		}},
		&contest{name: "wide", data: wide, records: o.records / 4, rounds: o.rounds, variants: []variant{
			{name: "wide/4", partitions: 4, env: byDefault},
		}},
	}, upserts(o), poisons(o), verifications(o), []scenario{
		&contest{name: "memory/200", data: narrow, records: o.records, rounds: 1, variants: []variant{
			{name: "memory/200", partitions: 200, env: byDefault},
		}},
		&backlog{name: "memory/1MB", records: o.large, codec: kgo.NoCompression(), alike: 1},
		&backlog{name: "memory/1MB-lz4", records: o.large, codec: kgo.Lz4Compression(), alike: 256},
		&backlog{name: "memory/1MB-zstd", records: o.large, codec: kgo.ZstdCompression(), alike: 256},
		&pace{name: "latency/idle", gap: quiet, samples: o.samples},
		&pace{name: "latency/50ms", gap: every50ms, samples: 2 * o.samples},
		&pace{name: "latency/50ms/0s", gap: every50ms, samples: 2 * o.samples, env: []string{"SINKD_BATCH_INTERVAL=0s"}},
	})
}

// choose gives the scenarios, and of them the parts, that match.
func choose(all []scenario, run *regexp.Regexp) []scenario {
	var chosen []scenario
	for _, s := range all {
		if n := s.narrowed(run); n != nil {
			chosen = append(chosen, n)
		}
	}
	return chosen
}

func names(all []scenario) string {
	titles := make([]string, 0, len(all))
	for _, s := range all {
		titles = append(titles, s.title())
	}
	return strings.Join(titles, ", ")
}
