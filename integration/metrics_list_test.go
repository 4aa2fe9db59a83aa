package integration_test

import (
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

// series is one metric of the service, as alerts, dashboards and people know it.
type series struct {
	name   string
	kind   dto.MetricType
	labels []string
	// values are those of the label that is named last, where all are known:
	// these series exist from the start.
	values []string
	// each is what there is one of for each of: a partition, a topic, a table;
	// empty for the process.
	each string
}

const (
	counter   = dto.MetricType_COUNTER
	gauge     = dto.MetricType_GAUGE
	histogram = dto.MetricType_HISTOGRAM
)

// contract lists all metrics of the service, the label pipeline apart, which
// each has.
func contract() []series {
	words := strings.Fields
	return []series{
		{"sinkd_build_info", gauge, words("version revision"), nil, ""},
		{"sinkd_pipeline_info", gauge, words("delivery mode isolation"), nil, ""},
		{"sinkd_pipeline_state", gauge, words("state"), words("starting running retrying paused halted"), ""},
		{"sinkd_dependency_up", gauge, words("dependency"), words("kafka postgres schema_registry"), ""},
		{"sinkd_incidents", gauge, words("kind"), words("data_lost topic_recreated cluster_changed position_missing fetch_failed dead_letter_limit all_bad bad_record configuration"), ""},
		{"sinkd_partitions", gauge, words("state"), words("running paused halted"), ""},
		{"sinkd_lag_records", gauge, words("topic partition"), nil, "partition"},
		{"sinkd_uncommitted_records", gauge, words("topic partition"), nil, "partition"},
		{"sinkd_lag_seconds", gauge, words("topic partition"), nil, "partition"},
		{"sinkd_position_offset", gauge, words("topic partition"), nil, "partition"},
		{"sinkd_end_offset", gauge, words("topic partition"), nil, "partition"},
		{"sinkd_log_start_offset", gauge, words("topic partition"), nil, "partition"},
		{"sinkd_last_commit_timestamp_seconds", gauge, words("topic"), nil, "topic"},
		{"sinkd_records_total", counter, words("topic outcome"), words("written skipped dead"), "topic"},
		{"sinkd_rows_total", counter, words("table operation"), words("insert upsert delete"), "table"},
		{"sinkd_consumed_bytes_total", counter, words("topic"), nil, "topic"},
		{"sinkd_written_bytes_total", counter, words("table"), nil, "table"},
		{"sinkd_batches_total", counter, words("outcome"), words("committed retried split fenced"), ""},
		{"sinkd_batch_duration_seconds", histogram, words("stage"), words("wait build copy merge commit"), ""},
		{"sinkd_batch_records", histogram, nil, nil, ""},
		{"sinkd_batch_bytes", histogram, nil, nil, ""},
		{"sinkd_end_to_end_delay_seconds", histogram, words("topic"), nil, "topic"},
		{"sinkd_dead_letters_total", counter, words("topic stage sqlstate"), nil, "topic"},
		{"sinkd_dead_letters", gauge, words("topic"), nil, "topic"},
		{"sinkd_retries_total", counter, words("class"), words("transient fenced data schema configuration"), ""},
		{"sinkd_commit_unknown_total", counter, words("resolved"), words("landed lost fenced"), ""},
		{"sinkd_claims_total", counter, words("outcome"), words("made fenced failed halted paused"), ""},
		{"sinkd_blockers_terminated_total", counter, nil, nil, ""},
		{"sinkd_rewinds_total", counter, nil, nil, ""},
		{"sinkd_rebalances_total", counter, words("event"), words("assigned revoked lost"), ""},
		{"sinkd_handover_duration_seconds", histogram, nil, nil, ""},
		{"sinkd_lanes", gauge, words("state"), words("idle building writing waiting"), ""},
		{"sinkd_inflight_bytes", gauge, nil, nil, ""},
		{"sinkd_memory_limit_bytes", gauge, nil, nil, ""},
		{"sinkd_schema_changes_total", counter, words("table action"), words("create add-column"), "table"},
		{"sinkd_schema_registry_requests_total", counter, words("outcome"), words("ok failed"), ""},
	}
}

// beside are metrics of others that alerts and dashboard may use: the runtime's
// and the Kafka client's.
func beside() []series {
	return []series{
		{"process_resident_memory_bytes", gauge, nil, nil, ""},
		{"process_cpu_seconds_total", counter, nil, nil, ""},
		{"go_goroutines", gauge, nil, nil, ""},
		{"go_memstats_heap_inuse_bytes", gauge, nil, nil, ""},
		{"kafka_read_bytes_total", counter, []string{"node_id"}, nil, "node"},
		{"kafka_connects_total", counter, []string{"node_id"}, nil, "node"},
	}
}

// listed gives the metric that a name in an expression means, a histogram's
// parts included.
func listed(name string) (series, bool) {
	for _, s := range append(contract(), beside()...) {
		parts := []string{s.name}
		if s.kind == histogram {
			parts = []string{s.name + "_bucket", s.name + "_sum", s.name + "_count"}
		}
		if slices.Contains(parts, name) {
			if strings.HasSuffix(name, "_bucket") {
				s.labels = append(slices.Clone(s.labels), "le")
			}
			if strings.HasPrefix(s.name, "sinkd_") || strings.HasPrefix(s.name, "kafka_") {
				s.labels = append(slices.Clone(s.labels), "pipeline")
			}
			return s, true
		}
	}
	return series{}, false
}

// The names are told once.
func TestContractNamesEachOnce(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range contract() {
		if seen[s.name] {
			t.Errorf("%s is listed twice", s.name)
		}
		seen[s.name] = true
	}
}
