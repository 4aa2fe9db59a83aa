package integration_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// families gives all metrics of the service.
func (s *service) families(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	resp, err := s.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(resp.Body)
}

// labelsOf gives the names of a metric's labels in order, and the values.
func labelsOf(m *dto.Metric) (names []string, values map[string]string) {
	values = make(map[string]string)
	for _, l := range m.Label {
		names = append(names, l.GetName())
		values[l.GetName()] = l.GetValue()
	}
	slices.Sort(names)
	return names, values
}

// differs tells in what a metric is not as it is listed; n is how many topics
// and partitions there are.
func (want *series) differs(got *dto.MetricFamily, n map[string]int) error {
	if got == nil {
		return fmt.Errorf("%s is missing", want.name)
	}
	if got.GetType() != want.kind || got.GetHelp() == "" {
		return fmt.Errorf("%s is a %s with the help %q, want a %s", want.name, got.GetType(), got.GetHelp(), want.kind)
	}
	labels := slices.Sorted(slices.Values(append(slices.Clone(want.labels), "pipeline")))
	have := make(map[string]int)
	for _, m := range got.Metric {
		names, values := labelsOf(m)
		if !slices.Equal(names, labels) || values["pipeline"] != "default" {
			return fmt.Errorf("%s has the labels %v, want %v", want.name, values, labels)
		}
		if len(want.labels) > 0 {
			have[values[want.labels[len(want.labels)-1]]]++
		}
	}
	each := 1
	if want.each != "" {
		each = n[want.each]
	}
	if want.values == nil && want.name != "sinkd_dead_letters_total" && len(got.Metric) != each {
		return fmt.Errorf("%s has %d series, want %d", want.name, len(got.Metric), each)
	}
	for _, v := range want.values {
		if have[v] != each {
			return fmt.Errorf("%s has %d series of %s, want %d", want.name, have[v], v, each)
		}
		delete(have, v)
	}
	if want.values != nil && len(have) > 0 {
		return fmt.Errorf("%s has values that are not listed: %v", want.name, have)
	}
	return nil
}

// compare compares the service's metrics with the list, in both directions.
func (s *service) compare(n map[string]int, when func(series) bool) error {
	got, err := s.families(s.t.Context())
	if err != nil {
		return err
	}
	names := make(map[string]bool)
	for _, want := range contract() {
		names[want.name] = true
		if !when(want) {
			continue
		}
		if err := want.differs(got[want.name], n); err != nil {
			return err
		}
	}
	for name := range got {
		if strings.HasPrefix(name, "sinkd_") && !names[name] {
			return fmt.Errorf("%s is not listed", name)
		}
	}
	return nil
}

// TestSeries has all metrics as they are listed: those whose labels are known
// from the process's start, while it can reach nobody, those of topics from their
// claim, those of tables from their first batch. With 256 partitions their number
// is bounded.
func TestSeries(t *testing.T) {
	t.Parallel()
	const partitions = 256
	w, _ := newFakeWorld(t, partitions)
	e, proxy := w.proxied()
	proxy.Refuse()
	s := start(t, e)
	fromStart := func(m series) bool { return m.each == "" }
	eventually(t, 30*time.Second, "the service does not listen", s.alive)
	if err := s.compare(nil, fromStart); err != nil {
		t.Errorf("at the start: %v", err)
	}
	try(t, proxy.Accept())
	n := map[string]int{"topic": 1, "partition": partitions, "table": 1}
	eventually(t, 60*time.Second, "the series of the topic are not as they are listed", func() error {
		return s.compare(n, func(m series) bool { return m.each == "topic" || m.each == "partition" })
	})
	w.produce(partitions, partitions)
	eventually(t, 60*time.Second, "the series are not as they are listed", func() error {
		return s.compare(n, func(series) bool { return true })
	})
	s.bounded(partitions)
}

// bounded fails the test where there are more lines than six for each partition
// and a number that does not depend on those.
func (s *service) bounded(partitions int) {
	s.t.Helper()
	got, err := s.families(s.t.Context())
	try(s.t, err)
	lines, each := 0, 0
	for name, f := range got {
		for _, m := range f.Metric {
			n := 1
			if h := m.Histogram; h != nil {
				n = len(h.Bucket) + 3
			}
			lines += n
			if _, values := labelsOf(m); values["partition"] != "" {
				each += n
			}
		}
		if name == "kafka_read_bytes_total" && len(f.Metric) == 0 {
			s.t.Error("the Kafka client's metrics say nothing")
		}
	}
	s.t.Logf("%d lines, %d of them by partition", lines, each)
	if got["kafka_read_bytes_total"] == nil || got["go_goroutines"] == nil || got["process_cpu_seconds_total"] == nil {
		s.t.Error("the metrics of the Kafka client, the runtime or the process are missing")
	}
	if each > 6*partitions || lines-each > 1000 {
		s.t.Errorf("%d lines by partition and %d others: too many", each, lines-each)
	}
}
