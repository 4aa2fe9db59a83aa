package store

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the series that only the store can count.
type Metrics struct {
	commitUnknown *prometheus.CounterVec
	terminated    prometheus.Counter
	schemaChanges *prometheus.CounterVec
}

// NewMetrics makes and registers the store's series; those whose labels are
// known are there from the start.
func NewMetrics(reg prometheus.Registerer, pipeline string) *Metrics {
	labels := prometheus.Labels{"pipeline": pipeline}
	m := &Metrics{
		commitUnknown: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sinkd_commit_unknown_total", ConstLabels: labels,
			Help: "COMMITs without an answer, by what became of them.",
		}, []string{"resolved"}),
		terminated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sinkd_blockers_terminated_total", ConstLabels: labels,
			Help: "Stalled sessions of this pipeline that were ended because others waited for what they held.",
		}),
		schemaChanges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sinkd_schema_changes_total", ConstLabels: labels,
			Help: "DDL that sinkd ran on target tables.",
		}, []string{"table", "action"}),
	}
	for _, o := range []outcome{landed, lost, fenced} {
		m.commitUnknown.WithLabelValues(o.String())
	}
	reg.MustRegister(m.commitUnknown, m.terminated, m.schemaChanges)
	return m
}

// table makes the series of a table.
func (m *Metrics) table(name string) {
	for _, action := range []string{"create", "add-column"} {
		m.schemaChanges.WithLabelValues(name, action)
	}
}
