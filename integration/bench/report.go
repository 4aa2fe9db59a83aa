package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// printRates prints one line for each way to load, medians of its rounds.
func printRates(w io.Writer, heading string, results []result) {
	_, _ = fmt.Fprintf(w, "%s\n", heading)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "\trows/s\tx psql\trounds\tCPU s/M: itself\tpostgres\tbroker\tother\tpeak MiB\tWAL B/row\ttable MiB\t")
	for i := range results {
		r := &results[i]
		_, _ = fmt.Fprintf(t, "%s\t%.0f\t%s\t%s\t", r.name, r.median(sample.rate), ratio(r), spread(r.ratios))
		for _, part := range []func(sample) time.Duration{
			func(s sample) time.Duration { return s.cpu },
			func(s sample) time.Duration { return s.usage.postgres },
			func(s sample) time.Duration { return s.usage.broker },
			sample.other,
		} {
			_, _ = fmt.Fprintf(t, "%.2f\t", r.median(func(s sample) float64 { return s.perMillion(part(s)) }))
		}
		_, _ = fmt.Fprintf(t, "%.0f\t%.0f\t%.0f\t\n", float64(r.peak())/(1<<20),
			r.median(func(s sample) float64 { return float64(s.wal) / float64(s.records) }),
			r.median(func(s sample) float64 { return float64(s.size) / (1 << 20) }))
	}
	_ = t.Flush()
	_, _ = fmt.Fprintln(w)
}

// printBacklog prints what it took to load a backlog of large records.
func printBacklog(w io.Writer, r *result) {
	s := r.samples[0]
	_, _ = fmt.Fprintf(w, "%s: %d records of 1 MB in %.1f s, CPU itself %.1f s, postgres %.1f, broker %.1f, other %.1f, peak %s\n\n",
		r.name, s.records, s.wall.Seconds(), s.cpu.Seconds(), s.usage.postgres.Seconds(), s.usage.broker.Seconds(),
		s.other().Seconds(), mebibytes(s.peak))
}

func ratio(r *result) string {
	if r.ratio == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", r.ratio)
}

// spread gives the least and the largest ratio of the rounds.
func spread(ratios []float64) string {
	if len(ratios) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f-%.2f", quantile(ratios, 0), quantile(ratios, 1))
}

// printDelays prints the times until a row could be seen, and how much of them
// Kafka took to acknowledge the record.
func printDelays(w io.Writer, r *result, acked []time.Duration) {
	_, _ = fmt.Fprintf(w, "%s: %d records, to visible p50 %s, p90 %s, p99 %s, most %s; acknowledged by Kafka p50 %s, p99 %s\n\n",
		r.name, len(r.delays),
		milliseconds(r.quantile(0.5)), milliseconds(r.quantile(0.9)), milliseconds(r.quantile(0.99)), milliseconds(r.quantile(1)),
		milliseconds(quantile(acked, 0.5)), milliseconds(quantile(acked, 0.99)))
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }

func mebibytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// printPoison prints the rates of topics with broken records. Those that halt
// have none.
func printPoison(w io.Writer, records int, results []result) {
	_, _ = fmt.Fprintf(w, "poison: %d records\n", records)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "\tseconds\tx clean\trounds\tCPU s: itself\tpostgres\tpeak MiB\t")
	for i := range results {
		r := &results[i]
		_, _ = fmt.Fprintf(t, "%s\t%.2f\t%s\t%s\t%.2f\t%.2f\t%.0f\t\n", r.name,
			r.median(func(s sample) float64 { return s.wall.Seconds() }), ratio(r), spread(r.ratios),
			r.median(func(s sample) float64 { return s.cpu.Seconds() }),
			r.median(func(s sample) float64 { return s.usage.postgres.Seconds() }), float64(r.peak())/(1<<20))
	}
	_ = t.Flush()
	_, _ = fmt.Fprintln(w)
}
