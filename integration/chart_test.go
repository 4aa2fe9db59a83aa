package integration_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

const (
	smallChart = "existingSecret: db\n"
	fullChart  = `
replicas: 3
config:
  SINKD_KAFKA_BROKERS: kafka:9092
  SINKD_TOPICS: orders
  SINKD_PIPELINE: shop
  SINKD_SCHEMA: books
  SINKD_MEMORY: 1GiB
  SINKD_DRAIN_TIMEOUT: 1m30s
  SINKD_LANES: 3
  SINKD_BATCH_MAX_BYTES: 10000000
  SINKD_DEAD_LETTER_LIMIT: off
  SINKD_DELETES: false
secrets: {SINKD_DATABASE_URL: "postgres://dml@db/app", SINKD_HTTP_TOKEN: "s: e'c"}
migrate: {databaseUrl: "postgres://ddl@db/app"}
networkPolicy: {egress: [{ports: [{port: 5432}]}]}
podMonitor: {enabled: true, bearerTokenSecret: {name: s, key: k}}
prometheusRule: {enabled: true}
dashboard: {enabled: true}
keda: {enabled: true}
resources: {limits: {cpu: 2}}
extraEnv: [{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://otel:4318"}]
extraVolumes: [{name: roots, configMap: {name: roots}}]
extraVolumeMounts: [{name: roots, mountPath: /etc/roots, readOnly: true}]
`
)

func TestChartObjects(t *testing.T) {
	t.Parallel()
	common := []string{
		"ConfigMap/flow-sinkd", "Deployment/flow-sinkd", "Job/flow-sinkd-migrate", "NetworkPolicy/flow-sinkd",
		"PodDisruptionBudget/flow-sinkd", "ServiceAccount/flow-sinkd",
	}
	all := append([]string{
		"ConfigMap/flow-sinkd-dashboard", "PodMonitor/flow-sinkd", "PrometheusRule/flow-sinkd", "ScaledObject/flow-sinkd",
		"Secret/flow-sinkd", "Secret/flow-sinkd-migrate",
	}, common...)
	for values, want := range map[string][]string{smallChart: common, fullChart: all} {
		got := render(t, values)
		slices.Sort(want)
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
			t.Errorf("%s\nrenders %v\nand not %v", values, names, want)
		}
		if out, err := tryHelm(t, "lint", values); err != nil {
			t.Errorf("helm lint: %v\n%s", err, out)
		}
	}
}

// expectation is a value that an object has to have.
type expectation struct {
	object string
	want   any
	path   []any
}

func expect(t *testing.T, objects map[string]object, list []expectation) {
	t.Helper()
	for _, e := range list {
		if got := objects[e.object].at(e.path...); !reflect.DeepEqual(got, e.want) {
			t.Errorf("%s %v is %v (%T), want %v", e.object, e.path, got, got, e.want)
		}
	}
}

// pod is the path into the pod of a Deployment or Job.
func pod(path ...any) []any { return append([]any{"spec", "template", "spec"}, path...) }

// first is the path into its container.
func first(path ...any) []any { return pod(append([]any{"containers", 0}, path...)...) }

func TestChartValues(t *testing.T) {
	t.Parallel()
	deployment, job := "Deployment/flow-sinkd", "Job/flow-sinkd-migrate"
	small, full := render(t, smallChart), render(t, fullChart)
	expect(t, small, []expectation{
		{deployment, 2, []any{"spec", "replicas"}},
		{deployment, 45, pod("terminationGracePeriodSeconds")},
		{deployment, "512Mi", first("resources", "limits", "memory")},
		{deployment, "db", pod("volumes", 0, "secret", "secretName")},
		{job, "db", pod("volumes", 0, "secret", "secretName")},
		{"NetworkPolicy/flow-sinkd", nil, []any{"spec", "egress"}},
	})
	expect(t, full, []expectation{
		{deployment, nil, []any{"spec", "replicas"}}, // KEDA's
		{deployment, 105, pod("terminationGracePeriodSeconds")},
		{deployment, "1280Mi", first("resources", "limits", "memory")},
		{deployment, 2, first("resources", "limits", "cpu")},
		{deployment, "http://otel:4318", first("env", 3, "value")},
		{deployment, "/etc/roots", first("volumeMounts", 1, "mountPath")},
		{deployment, "roots", pod("volumes", 1, "configMap", "name")},
		{job, "flow-sinkd-migrate", pod("volumes", 0, "secret", "secretName")},
		{job, "books", first("env", 0, "value")},
		{job, "pre-install,pre-upgrade", []any{"metadata", "annotations", "helm.sh/hook"}},
		{"Secret/flow-sinkd-migrate", "postgres://ddl@db/app", []any{"stringData", "SINKD_DATABASE_URL"}},
		{"Secret/flow-sinkd-migrate", "pre-install,pre-upgrade", []any{"metadata", "annotations", "helm.sh/hook"}},
		{"Secret/flow-sinkd", "postgres://dml@db/app", []any{"stringData", "SINKD_DATABASE_URL"}},
		{"ScaledObject/flow-sinkd", "sinkd-shop", []any{"spec", "triggers", 0, "metadata", "consumerGroup"}},
		{"ConfigMap/flow-sinkd", "10000000", []any{"data", "SINKD_BATCH_MAX_BYTES"}},
		{"ConfigMap/flow-sinkd", "off", []any{"data", "SINKD_DEAD_LETTER_LIMIT"}},
		{"ConfigMap/flow-sinkd", "false", []any{"data", "SINKD_DELETES"}},
		{"ServiceAccount/flow-sinkd", false, []any{"automountServiceAccountToken"}},
	})
	limits := map[string]string{}
	for name, objects := range map[string]map[string]object{"small": small, "full": full} {
		variables, _ := objects[deployment].at(first("env")...).([]any)
		for _, v := range variables {
			if o := object(v.(map[string]any)); o["name"] == "GOMEMLIMIT" {
				limits[name], _ = o["value"].(string)
			}
		}
	}
	if want := map[string]string{"small": "460MiB", "full": "1152MiB"}; !maps.Equal(limits, want) {
		t.Errorf("GOMEMLIMIT %v, want %v", limits, want)
	}
}

// TestChartPods has pods without rights, and probes of the service alone.
func TestChartPods(t *testing.T) {
	t.Parallel()
	deployment, job := "Deployment/flow-sinkd", "Job/flow-sinkd-migrate"
	objects := render(t, smallChart)
	var list []expectation
	for _, name := range []string{deployment, job} {
		list = append(list,
			expectation{name, false, pod("automountServiceAccountToken")},
			expectation{name, true, pod("securityContext", "runAsNonRoot")},
			expectation{name, 65532, pod("securityContext", "runAsUser")},
			expectation{name, "RuntimeDefault", pod("securityContext", "seccompProfile", "type")},
			expectation{name, true, first("securityContext", "readOnlyRootFilesystem")},
			expectation{name, false, first("securityContext", "allowPrivilegeEscalation")},
			expectation{name, []any{"ALL"}, first("securityContext", "capabilities", "drop")},
		)
	}
	expect(t, objects, append(list, []expectation{
		{deployment, []any{"run"}, first("args")},
		{job, []any{"migrate", "up"}, first("args")},
		{deployment, "/livez", first("livenessProbe", "httpGet", "path")},
		{deployment, "/readyz", first("readinessProbe", "httpGet", "path")},
		{deployment, 8080, first("ports", 0, "containerPort")},
		{deployment, "kubernetes.io/hostname", pod("topologySpreadConstraints", 0, "topologyKey")},
		{deployment, "SINKD_DATABASE_URL_FILE", first("env", 1, "name")},
		{deployment, "/etc/sinkd/secrets/SINKD_DATABASE_URL", first("env", 1, "value")},
	}...))
	labels, _ := objects[deployment].at("spec", "selector", "matchLabels").(map[string]any)
	if other, _ := objects[job].at("spec", "template", "metadata", "labels").(map[string]any); len(labels) == 0 || contains(other, labels) {
		t.Errorf("the service's selector %v takes the pods of the migration, too", labels)
	}
	if own, _ := objects[deployment].at("spec", "template", "metadata", "labels").(map[string]any); !contains(own, labels) {
		t.Errorf("the selector %v does not take the pods %v", labels, own)
	}
}

// contains tells whether all labels are among those of a pod.
func contains(pod, labels map[string]any) bool {
	for k, v := range labels {
		if pod[k] != v {
			return false
		}
	}
	return true
}

// TestChartConfiguration has sinkd accept what the chart renders.
func TestChartConfiguration(t *testing.T) {
	t.Parallel()
	for _, values := range []string{smallChart, fullChart} {
		data, _ := render(t, values)["ConfigMap/flow-sinkd"].at("data").(map[string]any)
		e := env{"SINKD_DATABASE_URL": "postgres://db/app"}
		for name, value := range data {
			e[name] = value.(string)
		}
		if _, ok := e["SINKD_DELETES"]; ok {
			e["SINKD_MODE"], e["SINKD_KEY"] = "upsert", "id"
		}
		if _, err := config.Load(e.list(), config.Flow); err != nil {
			t.Errorf("%v\n%v", err, e)
		}
	}
}

// TestChartRefuses gives values that cannot work.
func TestChartRefuses(t *testing.T) {
	t.Parallel()
	for values, says := range map[string]string{
		"":                                      "existingSecret",
		"config: {SINKD_TOPIC: a}":              "SINKD_TOPIC",
		"config: {SINKD_DATABASE_URL: a}":       "SINKD_DATABASE_URL",
		"config: {SINKD_MODE: merge}":           "SINKD_MODE",
		"config: {SINKD_HTTP_ADDR: 'off'}":      "SINKD_HTTP_ADDR",
		"config: {SINKD_HTTP_ADDR: '[::1]:1'}":  "SINKD_HTTP_ADDR",
		"config: {SINKD_DRAIN_TIMEOUT: 1.5s}":   "SINKD_DRAIN_TIMEOUT",
		"config: {SINKD_MEMORY: much}":          "SINKD_MEMORY",
		"secrets: {SINKD_DATABASE_URI: a}":      "SINKD_DATABASE_URI",
		"secrets: {SINKD_DATABASE_URL: a}":      "use one of them",
		"existingSecretKeys: [SINKD_PASSWORD]":  "existingSecretKeys",
		"keda: {enabled: true, topic: '/a.*/'}": "keda.topic",
	} {
		if values != "" {
			values = smallChart + values
		}
		if out, err := tryHelm(t, "template", values); err == nil || !strings.Contains(out, says) {
			t.Errorf("%s: %v, and not about %s:\n%s", values, err, says, out)
		}
	}
}

// TestChartFiles has rules and dashboard as they are in deploy.
func TestChartFiles(t *testing.T) {
	t.Parallel()
	objects := render(t, fullChart)
	var rules map[string]any
	try(t, yaml.Unmarshal([]byte(text(t, "deploy", "alerts.yaml")), &rules))
	if got := objects["PrometheusRule/flow-sinkd"].at("spec"); !reflect.DeepEqual(got, any(rules)) {
		t.Errorf("the rules are %v\nand not %v", got, rules)
	}
	got := fmt.Sprint(objects["ConfigMap/flow-sinkd-dashboard"].at("data", "sinkd.json"))
	if strings.TrimSpace(got) != strings.TrimSpace(text(t, "deploy", "grafana", "dashboard.json")) {
		t.Error("the dashboard is not deploy/grafana/dashboard.json")
	}
}
