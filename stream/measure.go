package stream

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
)

// landed counts what a batch brought.
func (m *Metrics) landed(b *sinkd.Batch) {
	m.batches("committed")
	m.stage("copy", b.Timing.Copy)
	m.stage("merge", b.Timing.Merge)
	m.stage("commit", b.Timing.Commit)
	now := time.Now()
	var bytes int64
	for i := range b.Ranges {
		r := &b.Ranges[i]
		bytes += r.Count.Bytes
		m.outcome(r)
		m.lastCommit.WithLabelValues(r.Claim.Topic).Set(float64(now.UnixMilli()) / 1000)
		if !r.Count.First.IsZero() {
			m.delay.WithLabelValues(r.Claim.Topic).Observe(now.Sub(r.Count.First).Seconds())
		}
	}
	if n := b.Records(); n > 0 {
		m.batchRecords.Observe(float64(n))
		m.batchBytes.Observe(float64(bytes))
	}
	m.wrote(b)
	for i := range b.Dead {
		d := &b.Dead[i]
		m.deadLetters.WithLabelValues(d.Record.Topic, d.Stage, d.SQLState).Inc()
	}
}

// wrote counts the rows that the tables got.
func (m *Metrics) wrote(b *sinkd.Batch) {
	refused := refusedRows(b)
	for i := range b.Rows {
		r := &b.Rows[i]
		table, n := r.Table.String(), len(r.Row)
		if r.Op == sinkd.Write {
			less := min(refused[r.Table], n)
			n -= less
			refused[r.Table] -= less
		}
		m.rows.WithLabelValues(table, operation(r)).Add(float64(n))
		m.writtenBytes.WithLabelValues(table).Add(float64(len(r.Buf)))
	}
}

// operation names what rows do, as the metrics name it. A mark is a delete that
// keeps the row.
func operation(r *sinkd.Rows) string {
	switch {
	case r.Op != sinkd.Write:
		return "delete"
	case r.Route != nil && r.Route.Mode == sinkd.Upsert:
		return "upsert"
	}
	return "insert"
}

// refusedRows counts, table by table, the rows that Postgres left out by the
// mode.
func refusedRows(b *sinkd.Batch) map[*sinkd.Table]int {
	count := make(map[*sinkd.Table]int)
	if !slices.ContainsFunc(b.Ranges, func(r sinkd.Range) bool { return r.Count.Refused > 0 }) {
		return count
	}
	into := make(map[int32]*sinkd.Table, len(b.Ranges))
	for i := range b.Rows {
		for _, row := range b.Rows[i].Row {
			into[row.Range] = b.Rows[i].Table
		}
	}
	for i, t := range into {
		count[t] += b.Ranges[i].Count.Refused
	}
	return count
}

func (m *Metrics) outcome(r *sinkd.Range) {
	for outcome, n := range map[string]int{"written": r.Count.Rows, "skipped": r.Count.Skipped, "dead": r.Count.Dead} {
		m.records.WithLabelValues(r.Claim.Topic, outcome).Add(float64(n))
	}
}

// progress shows how far a partition has come.
func (m *Metrics) progress(p sinkd.Partition, at progress) {
	id := strconv.Itoa(int(p.ID))
	m.pos.WithLabelValues(p.Topic, id).Set(float64(at.landed))
	m.lag.WithLabelValues(p.Topic, id).Set(float64(max(at.known-at.landed, 0)))
	m.lagSeconds.WithLabelValues(p.Topic, id).Set(m.age(at).Seconds())
}

// age is that of the oldest record that is not yet written, 0 for none.
func (m *Metrics) age(at progress) time.Duration {
	if at.known <= at.landed {
		return 0
	}
	return max(time.Since(at.oldest), 0)
}

// bounds shows the ends of a partition's log.
func (m *Metrics) bounds(p sinkd.Partition, b bounds) {
	id := strconv.Itoa(int(p.ID))
	m.end.WithLabelValues(p.Topic, id).Set(float64(b.stable))
	m.logStart.WithLabelValues(p.Topic, id).Set(float64(b.start))
	m.uncommitted.WithLabelValues(p.Topic, id).Set(float64(max(b.high-b.stable, 0)))
}

// forget removes the series of a partition that another process has now.
func (m *Metrics) forget(p sinkd.Partition) {
	id := strconv.Itoa(int(p.ID))
	for _, g := range []*prometheus.GaugeVec{m.pos, m.lag, m.lagSeconds, m.end, m.logStart, m.uncommitted} {
		g.DeleteLabelValues(p.Topic, id)
	}
}
