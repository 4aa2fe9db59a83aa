package integration_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// promtool gives Prometheus's own parser and evaluator of rules. Where it is
// missing the test is skipped, or fails where CI=true.
func promtool(t *testing.T) func(args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: promtool is missing, so expressions are not evaluated; .ci/need brings it")
	}
	try(t, err)
	return func(args ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
		if err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// text reads a file of the repository.
func text(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{".."}, path...)...))
	try(t, err)
	return string(b)
}

// foreign tells a label that Prometheus itself sets.
func foreign(label string) bool { return slices.Contains([]string{"instance", "job"}, label) }

// strange finds the metrics and labels of an expression that no metric of the
// list has.
func strange(expr string) (found []string) {
	selector := regexp.MustCompile(`\b((?:sinkd|kafka|go|process)_[a-z_]+)(\{[^}]*\})?`)
	matcher := regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"`)
	grouping := regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	known := make(map[string]bool)
	metrics := 0
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		metrics++
		s, ok := listed(m[1])
		if !ok {
			found = append(found, m[1])
			continue
		}
		for _, l := range s.labels {
			known[l] = true
		}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			switch {
			case !slices.Contains(s.labels, l[1]) && !foreign(l[1]):
				found = append(found, m[1]+"{"+l[1]+"}")
			case s.values != nil && l[1] == s.labels[len(s.labels)-2] && !slices.Contains(s.values, l[2]):
				found = append(found, fmt.Sprintf("%s{%s=%q}", m[1], l[1], l[2]))
			}
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, l := range strings.Split(g[1], ",") {
			if l = strings.TrimSpace(l); l != "" && !known[l] && !foreign(l) {
				found = append(found, "the label "+l)
			}
		}
	}
	if metrics == 0 {
		found = append(found, "no metric at all")
	}
	return found
}

// What the check of expressions is there for, it finds.
func TestStrangeExpressionsAreFound(t *testing.T) {
	for expr, want := range map[string]string{
		`max by (pipeline) (sinkd_incidents) > 0`:                       "",
		`sum(rate(sinkd_handover_duration_seconds_bucket[5m])) by (le)`: "",
		`sinkd_incident > 0`:                                                "sinkd_incident",
		`sinkd_handover_duration_seconds > 1`:                               "sinkd_handover_duration_seconds",
		`sinkd_records_total{result="dead"}`:                                "sinkd_records_total{result}",
		`sinkd_records_total{outcome="bad"}`:                                `sinkd_records_total{outcome="bad"}`,
		`sum by (topic) (sinkd_lanes{state="idle"})`:                        "the label topic",
		`sum by (stage) (sinkd_batch_duration_seconds_sum{stage="commit"})`: "",
	} {
		if got := strings.Join(strange(expr), ", "); got != want {
			t.Errorf("%s: found %q, want %q", expr, got, want)
		}
	}
}

// TestAlerts has each alert of operating with its severity, a runbook, and an
// expression of metrics that exist.
func TestAlerts(t *testing.T) {
	rules := text(t, "deploy", "alerts.yaml")
	severity := map[string]string{
		"SinkdIncident": "page", "SinkdStalled": "page", "SinkdBehind": "page", "SinkdAbsent": "page",
		"SinkdDeadLetters": "ticket", "SinkdOpenTransaction": "ticket", "SinkdCommitUnknown": "ticket", "SinkdRewind": "ticket",
	}
	expression := regexp.MustCompile(`(?s)expr: (.*?)\n        (?:for|labels):`)
	for _, rule := range strings.Split(rules, "- alert: ")[1:] {
		name, _, _ := strings.Cut(rule, "\n")
		if want := "severity: " + severity[name] + "\n"; severity[name] == "" || !strings.Contains(rule, want) {
			t.Errorf("%s is not one of the alerts, or not of severity %q", name, severity[name])
		}
		delete(severity, name)
		expr := expression.FindStringSubmatch(rule)
		if expr == nil {
			t.Errorf("%s has no expression", name)
			continue
		}
		if found := strange(expr[1]); len(found) > 0 {
			t.Errorf("%s asks for what does not exist: %v", name, found)
		}
		page := "docs/runbooks/" + name + ".md"
		if !strings.Contains(rule, "runbook_url: https://github.com/sinkd/sinkd/blob/main/"+page+"\n") {
			t.Errorf("%s does not lead to its runbook", name)
		}
		runbook := text(t, page)
		for _, part := range []string{"# " + name + "\n", "## What it means\n", "## What to look at\n", "## What to do\n"} {
			if !strings.Contains(runbook, part) {
				t.Errorf("%s has no %q", page, part)
			}
		}
		for _, found := range strange(runbook) {
			histogram := slices.ContainsFunc(contract(), func(s series) bool { return s.name == found })
			if strings.HasPrefix(found, "sinkd_") && !histogram {
				t.Errorf("%s names %s, which does not exist", page, found)
			}
		}
	}
	if len(severity) > 0 {
		t.Errorf("alerts are missing: %v", severity)
	}
}

// Prometheus's own parser and evaluator, over sample series.
func TestAlertsFire(t *testing.T) {
	prom := promtool(t)
	prom("check", "rules", "--lint-fatal", "../deploy/alerts.yaml")
	prom("test", "rules", "../deploy/alerts_test.yaml")
	prom("check", "config", "--syntax-only", "../deploy/compose/prometheus.yml")
}

// panel is a part of the dashboard that is shown.
type panel struct {
	Title, Type string
	Targets     []struct{ Expr string }
}

// TestDashboard has a row for each question of operating, and panels whose
// expressions ask for metrics that exist; each metric is on some panel.
func TestDashboard(t *testing.T) {
	var board struct{ Panels []panel }
	try(t, json.Unmarshal([]byte(text(t, "deploy", "grafana", "dashboard.json")), &board))
	var rows, exprs []string
	for _, p := range board.Panels {
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		if len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			if found := strange(target.Expr); len(found) > 0 {
				t.Errorf("%s asks for what does not exist: %v", p.Title, found)
			}
			exprs = append(exprs, target.Expr)
		}
	}
	want := []string{
		"Is it up, is it behind, is it exact?", "Database down or failed over", "Bad data", "Falling behind",
		"The target changed", "Deploys and rebalances",
	}
	if !slices.Equal(rows, want) {
		t.Errorf("rows %q, want %q", rows, want)
	}
	all := strings.Join(exprs, "\n")
	for _, s := range contract() {
		if !strings.Contains(all, s.name) {
			t.Errorf("%s is on no panel", s.name)
		}
	}
	t.Run("parsed", func(t *testing.T) { parsed(t, exprs) })
}

// parsed lets Prometheus parse the expressions, with values for the dashboard's
// variables.
func parsed(t *testing.T, exprs []string) {
	t.Helper()
	prom := promtool(t)
	var b strings.Builder
	b.WriteString("groups: [{name: dashboard, rules: [\n")
	for i, e := range exprs {
		e = strings.NewReplacer("$__rate_interval", "5m", "$pipeline", ".*").Replace(e)
		quoted, err := json.Marshal(e)
		try(t, err)
		fmt.Fprintf(&b, "{record: 'panel:%d', expr: %s},\n", i, quoted)
	}
	b.WriteString("]}]\n")
	path := filepath.Join(t.TempDir(), "rules.yaml")
	try(t, os.WriteFile(path, []byte(b.String()), 0o600))
	prom("check", "rules", path)
}

// TestMetricsDocument has a line in docs/metrics.md for each metric, and for
// nothing else.
func TestMetricsDocument(t *testing.T) {
	doc := text(t, "docs", "metrics.md")
	lines := 0
	for _, s := range contract() {
		labels := strings.Join(s.labels, ", ")
		if s.values != nil {
			labels += ": " + strings.Join(s.values, ", ")
		}
		line := fmt.Sprintf("| `%s` | %s | %s |", s.name, strings.ToLower(s.kind.String()), labels)
		if !strings.Contains(doc, strings.ReplaceAll(line, "|  |", "| |")) {
			t.Errorf("docs/metrics.md has no line %s", line)
		}
		lines++
	}
	if n := strings.Count(doc, "\n| `sinkd_"); n != lines {
		t.Errorf("docs/metrics.md has %d lines of metrics, there are %d", n, lines)
	}
}

// TestDocumentedMetrics has metrics in the sentences of the documents that
// exist, with labels that they have.
func TestDocumentedMetrics(t *testing.T) {
	found := 0
	for _, page := range documents(t) {
		b, err := os.ReadFile(page)
		try(t, err)
		for _, m := range regexp.MustCompile("`(sinkd_[a-z_]+)((?:\\{[^}`]*\\})?)`").FindAllStringSubmatch(string(b), -1) {
			expr := m[1] + m[2]
			if _, ok := listed(m[1]); !ok {
				expr = m[1] + "_sum" + m[2]
			}
			if names := strange(expr); len(names) > 0 {
				t.Errorf("%s: there is no %s", page, m[0])
			}
			found++
		}
	}
	if found < 40 {
		t.Errorf("%d metrics", found)
	}
}
