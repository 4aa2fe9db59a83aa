package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// memoryBar is SINKD_MEMORY by default, and 128 MiB.
const memoryBar = (256 + 128) << 20

// bar is a figure that has to be reached.
type bar struct {
	what, want, got string
	met             bool
}

// bars holds the results against the bars that they concern.
func bars(results []result) []bar {
	byName := make(map[string]*result, len(results))
	for i := range results {
		byName[results[i].name] = &results[i]
	}
	var all []bar
	if r := byName["append/4"]; r != nil {
		cpu := r.median(func(s sample) float64 { return s.perMillion(s.cpu) })
		all = append(all,
			bar{"append, default settings", `>= 1.4 x \copy`, fmt.Sprintf("%.2f x", r.ratio), r.ratio >= 1.4},
			bar{"CPU of sinkd, append", "<= 0.80 s a million", fmt.Sprintf("%.2f s", cpu), cpu <= 0.8})
		if many := byName["append/100"]; many != nil {
			all = append(all, partitionsBar(r, many))
		}
	}
	all = append(all, upsertBars(byName)...)
	all = append(all, poisonBars(byName)...)
	all = append(all, verifyBars(results)...)
	all = append(all, memoryBars(results)...)
	for _, d := range []struct {
		name, what string
		limit      time.Duration
	}{
		{"latency/idle", "to visible p99, after a quiet half second", 20 * time.Millisecond},
		{"latency/50ms", "to visible p99, a record every 50 ms", 250 * time.Millisecond},
		{"latency/50ms/0s", "to visible p99, every 50 ms, SINKD_BATCH_INTERVAL=0s", 20 * time.Millisecond},
	} {
		if r := byName[d.name]; r != nil {
			p99 := r.quantile(0.99)
			all = append(all, bar{d.what, "< " + d.limit.String(), milliseconds(p99), p99 < d.limit})
		}
	}
	return all
}

// upsertBars compare with psql's merge.
func upsertBars(byName map[string]*result) []bar {
	var all []bar
	for _, u := range []struct {
		name, what string
		ratio      float64
	}{
		{"upsert/new", "upsert, new keys", 1.8},
		{"upsert/existing", "upsert, existing keys", 1.5},
		{"upsert/hot", "upsert, 10 % hot keys", 1.5},
	} {
		if r := byName[u.name]; r != nil {
			all = append(all, bar{u.what, fmt.Sprintf(">= %.1f x psql", u.ratio), fmt.Sprintf("%.2f x", r.ratio), r.ratio >= u.ratio})
		}
	}
	if r := byName["upsert/new"]; r != nil {
		cpu := r.median(func(s sample) float64 { return s.perMillion(s.cpu) })
		all = append(all, bar{"CPU of sinkd, upsert", "<= 0.95 s a million", fmt.Sprintf("%.2f s", cpu), cpu <= 0.95})
	}
	return all
}

// poisonBars compare with the same topic without broken records.
func poisonBars(byName map[string]*result) []bar {
	var all []bar
	for _, p := range []struct {
		name, what string
		ratio      float64
	}{
		{"poison/refused/1", "1 % that Postgres refuses", 0.3},
		{"poison/undecodable/1", "1 % that we refuse", 0.8},
	} {
		if r := byName[p.name]; r != nil && r.ratio > 0 {
			all = append(all, bar{p.what, fmt.Sprintf(">= %.1f x clean", p.ratio), fmt.Sprintf("%.2f x", r.ratio), r.ratio >= p.ratio})
		}
	}
	return all
}

// memoryBars has one for each scenario that is about memory, and one for the
// greediest of all others.
func memoryBars(results []result) []bar {
	var all []bar
	var most int64
	of := func(what string, peak int64) bar {
		return bar{"peak memory, " + what, "<= 384 MiB", mebibytes(peak), peak <= memoryBar}
	}
	for i := range results {
		r := &results[i]
		switch {
		case r.rival:
		case strings.HasPrefix(r.name, "memory/"):
			all = append(all, of(strings.TrimPrefix(r.name, "memory/"), r.peak()))
		default:
			most = max(most, r.peak())
		}
	}
	if most > 0 {
		all = append(all, of("all other runs", most))
	}
	return all
}

// partitionsBar compares the rates of the same rounds.
func partitionsBar(few, many *result) bar {
	ratios := make([]float64, 0, len(many.ratios))
	for i := range many.ratios {
		ratios = append(ratios, many.ratios[i]/few.ratios[i])
	}
	m := median(ratios)
	return bar{"100 partitions", ">= 0.9 x of 4", fmt.Sprintf("%.2f x", m), m >= 0.9}
}

// printBars prints them and tells whether one is missed.
func printBars(w io.Writer, all []bar) (missed bool) {
	if len(all) == 0 {
		return false
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "bar\twanted\tgot\t")
	for _, b := range all {
		verdict := "met"
		if !b.met {
			verdict, missed = "MISSED", true
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", b.what, b.want, b.got, verdict)
	}
	_ = t.Flush()
	return missed
}
