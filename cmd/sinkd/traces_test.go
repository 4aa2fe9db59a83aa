package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

func TestTraced(t *testing.T) {
	for env, want := range map[string]bool{
		"":                             false,
		"OTEL_EXPORTER_OTLP_ENDPOINT=": false,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318":                             true,
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4318/v1/traces":            true,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318 OTEL_SDK_DISABLED=true":      false,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318 OTEL_SERVICE_NAME=my-orders": true,
	} {
		if got := traced(strings.Fields(env)); got != want {
			t.Errorf("%q: traced is %v", env, got)
		}
	}
	if none, err := newTraces(nil, nil); none != nil || err != nil {
		t.Errorf("%v, %v where nobody asks", none, err)
	}
	(*traces)(nil).close(t.Context())
}

// TestSpan has one span for a batch, with its stages, at the collector.
func TestSpan(t *testing.T) {
	received := make(chan *collector.ExportTraceServiceRequest, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &request)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		received <- &request
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	s := &service{cfg: new(config.Config), writer: "0123abcd", log: slog.New(slog.DiscardHandler)}
	s.cfg.Pipeline = "orders"
	tr, err := newTraces([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL}, s)
	if err != nil {
		t.Fatal(err)
	}
	took := 30 * time.Millisecond
	tr.landed(&sinkd.Batch{
		ID: uuid.New(), Started: time.Now().Add(-time.Second), Built: took,
		Timing: sinkd.Timing{Copy: 2 * took, Merge: 3 * took, Commit: 4 * took},
		Ranges: []sinkd.Range{{
			Claim: &sinkd.Claim{Partition: sinkd.Partition{Topic: "t", ID: 3}}, From: 5, Until: 7, Records: sinkd.RecordsOf(new(sinkd.Record), new(sinkd.Record)),
		}},
	})
	tr.close(t.Context())
	resources := (<-received).ResourceSpans
	spans := resources[0].ScopeSpans[0].Spans
	if len(spans) != 1 || spans[0].Name != "batch" {
		t.Fatalf("%d spans: %v", len(spans), spans)
	}
	if d := time.Duration(spans[0].EndTimeUnixNano - spans[0].StartTimeUnixNano); d < time.Second || d > 2*time.Second {
		t.Errorf("the span lasts %s", d)
	}
	var stages []string
	for _, e := range spans[0].Events {
		stages = append(stages, e.Name)
		if e.TimeUnixNano < spans[0].StartTimeUnixNano || e.TimeUnixNano > spans[0].EndTimeUnixNano {
			t.Errorf("%s ends outside of the span", e.Name)
		}
	}
	if got := strings.Join(stages, " "); got != "build copy merge commit" {
		t.Errorf("stages %s", got)
	}
	text := resources[0].String()
	for _, want := range []string{"t[3] 5-6", "orders", "0123abcd", "sinkd.wait_seconds"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in %s", want, text)
		}
	}
}

// A collector that is away costs a line in the log, and no time.
func TestTracesAway(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	var log strings.Builder
	s := &service{cfg: new(config.Config), log: slog.New(slog.NewTextHandler(&log, nil))}
	s.cfg.Pipeline = "orders"
	tr, err := newTraces([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL}, s)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		tr.landed(&sinkd.Batch{Started: time.Now()})
		_ = tr.provider.ForceFlush(t.Context())
	}
	tr.close(t.Context())
	if n := strings.Count(log.String(), "traces cannot be sent"); n != 1 {
		t.Errorf("%d lines: %s", n, log.String())
	}
}
