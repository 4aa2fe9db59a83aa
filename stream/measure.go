package stream

import (
	"strconv"
	"time"

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
	for i := range b.Rows {
		table := b.Rows[i].Table.String()
		m.rows.WithLabelValues(table, "insert").Add(float64(len(b.Rows[i].Row)))
		m.writtenBytes.WithLabelValues(table).Add(float64(len(b.Rows[i].Buf)))
	}
	for i := range b.Dead {
		d := &b.Dead[i]
		m.deadLetters.WithLabelValues(d.Record.Topic, d.Stage, d.SQLState).Inc()
	}
}

func (m *Metrics) outcome(r *sinkd.Range) {
	for outcome, n := range map[string]int{"written": r.Count.Rows, "skipped": r.Count.Skipped, "dead": r.Count.Dead} {
		m.records.WithLabelValues(r.Claim.Topic, outcome).Add(float64(n))
	}
}

// position shows where a partition stands in its log.
func (m *Metrics) position(p sinkd.Partition, next int64, b bounds) {
	id := strconv.Itoa(int(p.ID))
	m.pos.WithLabelValues(p.Topic, id).Set(float64(next))
	m.end.WithLabelValues(p.Topic, id).Set(float64(b.stable))
	m.logStart.WithLabelValues(p.Topic, id).Set(float64(b.start))
	m.lag.WithLabelValues(p.Topic, id).Set(float64(max(b.stable-next, 0)))
	m.uncommitted.WithLabelValues(p.Topic, id).Set(float64(max(b.high-b.stable, 0)))
}
