package stream

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/plugin/kprom"

	"github.com/sinkd/sinkd"
)

// Metrics are the flow's series; docs name and explain them. Series whose label
// values are known exist from the start.
type Metrics struct {
	records, rows, consumedBytes, writtenBytes *prometheus.CounterVec
	batchesTotal, deadLetters, retries, claims *prometheus.CounterVec
	rebalances                                 *prometheus.CounterVec
	stages, delay                              *prometheus.HistogramVec
	batchRecords, batchBytes                   prometheus.Histogram
	dependencyUp, partitionsBy, lag            *prometheus.GaugeVec
	uncommitted, pos, end, logStart            *prometheus.GaugeVec
	lagSeconds, lastCommit                     *prometheus.GaugeVec
	memoryLimit                                prometheus.Gauge
	letters                                    *prometheus.GaugeVec
	registryRequests                           *prometheus.CounterVec
	handovers                                  prometheus.Histogram
	rewinds                                    prometheus.Counter

	// client are the Kafka client's own series.
	client *kprom.Metrics

	// born is when the process began, the first value of a last commit.
	born   time.Time
	topics sync.Map
	// lettered are the topics that had dead letters.
	lettered sync.Map
}

// NewMetrics registers the flow's series, each with the pipeline's label.
func NewMetrics(reg prometheus.Registerer, pipeline string) *Metrics {
	r := registry{prometheus.WrapRegistererWith(prometheus.Labels{"pipeline": pipeline}, reg)}
	client := kprom.NewMetrics("kafka", kprom.Registerer(connections{r}))
	m := &Metrics{
		born: time.Now(), client: client,
		records:       r.counter("records_total", "Records by what became of them.", "topic", "outcome"),
		rows:          r.counter("rows_total", "Rows written.", "table", "operation"),
		consumedBytes: r.counter("consumed_bytes_total", "Keys and values read from Kafka.", "topic"),
		writtenBytes:  r.counter("written_bytes_total", "Encoded rows written to Postgres.", "table"),
		batchesTotal:  r.counter("batches_total", "Batches by what became of them.", "outcome"),
		deadLetters:   r.counter("dead_letters_total", "Dead letters.", "topic", "stage", "sqlstate"),
		retries:       r.counter("retries_total", "Failures by class.", "class"),
		claims:        r.counter("claims_total", "Claims by outcome.", "outcome"),
		rebalances:    r.counter("rebalances_total", "Rebalances of the consumer group.", "event"),
		stages:        r.histogram("batch_duration_seconds", "Time of a batch by stage.", []string{"stage"}, 0.0005),
		delay:         r.histogram("end_to_end_delay_seconds", "Record timestamp to commit, of each range's first record.", []string{"topic"}, 0.005),
		dependencyUp:  r.gauge("dependency_up", "Whether what the service depends on answers.", "dependency"),
		partitionsBy:  r.gauge("partitions", "Assigned partitions by state.", "state"),
		lag:           r.gauge("lag_records", "Offsets between the position and the end that may be read.", "topic", "partition"),
		uncommitted:   r.gauge("uncommitted_records", "High watermark minus last stable offset.", "topic", "partition"),
		pos:           r.gauge("position_offset", "Next offset that is not yet in Postgres.", "topic", "partition"),
		end:           r.gauge("end_offset", "Last stable offset.", "topic", "partition"),
		logStart:      r.gauge("log_start_offset", "First offset that Kafka still holds.", "topic", "partition"),
		lagSeconds:    r.gauge("lag_seconds", "Age of the oldest record not yet written; 0 when caught up.", "topic", "partition"),
		lastCommit:    r.gauge("last_commit_timestamp_seconds", "When a batch of the topic landed last.", "topic"),
		letters:       r.gauge("dead_letters", "Dead letters that the database keeps.", "topic"),

		registryRequests: r.counter("schema_registry_requests_total", "Requests to the schema registry.", "outcome"),
	}
	m.handovers = r.histogram("handover_duration_seconds", "From a partition's release to the next writer's first commit, by the database's clock.",
		nil, 0.01).WithLabelValues().(prometheus.Histogram)
	m.rewinds = r.counter("rewinds_total", "Positions that went back without a command: a failover or a restore.").WithLabelValues()
	m.batchRecords = r.histogram("batch_records", "Records of a batch.", nil, 1).WithLabelValues().(prometheus.Histogram)
	m.batchBytes = r.histogram("batch_bytes", "Bytes of a batch's keys and values.", nil, 256).WithLabelValues().(prometheus.Histogram)
	m.memoryLimit = r.gauge("memory_limit_bytes", "Budget for records in flight.").WithLabelValues()
	m.known()
	return m
}

// known makes the series whose label values are known.
func (m *Metrics) known() {
	for _, o := range []string{"committed", "retried", "split", "fenced"} {
		m.batchesTotal.WithLabelValues(o)
	}
	for c := sinkd.Transient; c <= sinkd.Configuration; c++ {
		m.retries.WithLabelValues(c.String())
	}
	for _, o := range []string{"made", "fenced", "failed", "halted", "paused"} {
		m.claims.WithLabelValues(o)
	}
	for _, e := range []string{"assigned", "revoked", "lost"} {
		m.rebalances.WithLabelValues(e)
	}
	for _, s := range []string{"wait", "build", "copy", "merge", "commit"} {
		m.stages.WithLabelValues(s)
	}
	for _, d := range []dependency{kafka, postgres} {
		m.dependencyUp.WithLabelValues(string(d))
	}
	// No format asks a registry so far, so nothing that is needed is away.
	m.dependency(registrySeries, true)
	for _, o := range []string{"ok", "failed"} {
		m.registryRequests.WithLabelValues(o)
	}
	for _, p := range []phase{running, paused, halted} {
		m.partitionsBy.WithLabelValues(string(p))
	}
}

// connections registers the Kafka client's series but those of its buffers, which
// it leaves empty: the fetcher only lends its connections.
type connections struct{ prometheus.Registerer }

// MustRegister registers what is no gauge of a buffer.
func (c connections) MustRegister(all ...prometheus.Collector) {
	c.Registerer.MustRegister(slices.DeleteFunc(all, func(one prometheus.Collector) bool {
		_, buffer := one.(prometheus.GaugeFunc)
		return buffer
	})...)
}

// registry makes series under the service's prefix.
type registry struct{ prometheus.Registerer }

func (r registry) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sinkd_" + name, Help: help}, labels)
	r.MustRegister(c)
	return c
}

func (r registry) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sinkd_" + name, Help: help}, labels)
	r.MustRegister(g)
	return g
}

func (r registry) histogram(name, help string, labels []string, first float64) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "sinkd_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(first, 2.5, 14),
	}, labels)
	r.MustRegister(h)
	return h
}

func (m *Metrics) limit(n int64) { m.memoryLimit.Set(float64(n)) }

func (m *Metrics) stage(name string, d time.Duration) {
	m.stages.WithLabelValues(name).Observe(d.Seconds())
}

func (m *Metrics) consumed(topic string, n int64) {
	m.consumedBytes.WithLabelValues(topic).Add(float64(max(n, 0)))
}

func (m *Metrics) batches(outcome string) { m.batchesTotal.WithLabelValues(outcome).Inc() }

func (m *Metrics) claim(outcome string) { m.claims.WithLabelValues(outcome).Inc() }

// failed counts a failed attempt.
func (m *Metrics) failed(e *sinkd.Error) {
	m.retries.WithLabelValues(e.Class.String()).Inc()
	if e.Class == sinkd.Fenced {
		m.batches("fenced")
	}
}

func (m *Metrics) rebalance(event string, parts map[string][]int32) {
	if len(parts) > 0 {
		m.rebalances.WithLabelValues(event).Inc()
	}
}

func (m *Metrics) dependency(d dependency, up bool) {
	v := 0.0
	if up {
		v = 1
	}
	m.dependencyUp.WithLabelValues(string(d)).Set(v)
}

func (m *Metrics) partitions(parts []part) {
	count := make(map[phase]int)
	for _, pt := range parts {
		count[pt.phase]++
	}
	for _, p := range []phase{running, paused, halted} {
		m.partitionsBy.WithLabelValues(string(p)).Set(float64(count[p]))
	}
}

// opened makes the series of a topic from its first claim on, so that an alert
// can fire for a partition that never moved.
func (m *Metrics) opened(p sinkd.Partition) {
	for _, o := range []string{"written", "skipped", "dead"} {
		m.records.WithLabelValues(p.Topic, o)
	}
	m.consumedBytes.WithLabelValues(p.Topic)
	m.letters.WithLabelValues(p.Topic)
	m.delay.WithLabelValues(p.Topic)
	for _, stage := range []string{"decode", "convert"} {
		m.deadLetters.WithLabelValues(p.Topic, stage, "")
	}
	if _, seen := m.topics.LoadOrStore(p.Topic, true); !seen {
		m.lastCommit.WithLabelValues(p.Topic).Set(float64(m.born.UnixMilli()) / 1000)
	}
}

// table makes the series of a table.
func (m *Metrics) table(t *sinkd.Table) {
	for _, o := range []string{"insert", "upsert", "delete"} {
		m.rows.WithLabelValues(t.String(), o)
	}
	m.writtenBytes.WithLabelValues(t.String())
}

// DeadLetters shows how many dead letters of each topic the database keeps;
// topics that are not in count have none.
func (m *Metrics) DeadLetters(count map[string]int64) {
	for topic, n := range count {
		m.letters.WithLabelValues(topic).Set(float64(n))
		m.lettered.Store(topic, true)
	}
	m.lettered.Range(func(topic, _ any) bool {
		if _, has := count[topic.(string)]; !has {
			m.letters.WithLabelValues(topic.(string)).Set(0)
		}
		return true
	})
}
