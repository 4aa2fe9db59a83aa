package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sinkd/sinkd"
)

// traces sends one span for each batch that landed, by OTLP over HTTP. What
// OpenTelemetry's standard variables say holds: endpoint, headers, sampler, name
// of the service.
type traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	pipeline attribute.KeyValue
}

// traced tells that the environment asks for traces.
func traced(env []string) bool {
	asked := false
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		switch name {
		case "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":
			asked = asked || value != ""
		case "OTEL_SDK_DISABLED":
			if strings.EqualFold(value, "true") {
				return false
			}
		}
	}
	return asked
}

// newTraces gives nil where nobody asks for traces: then nothing is done at all.
func newTraces(env []string, s *service) (*traces, error) {
	if !traced(env) {
		return nil, nil
	}
	ctx := context.Background()
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, usageError{fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: %w", err)}
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(
			attribute.String("service.name", "sinkd"), attribute.String("service.version", s.build.version),
			attribute.String("service.instance.id", s.writer)),
		resource.WithFromEnv())
	if err != nil {
		return nil, usageError{fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES cannot be used: %w", err)}
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithBatcher(&outageExporter{SpanExporter: exporter, log: s.log}))
	return &traces{
		provider: provider, tracer: provider.Tracer("github.com/sinkd/sinkd"),
		pipeline: attribute.String("sinkd.pipeline", s.cfg.Pipeline),
	}, nil
}

// landed makes the span of a batch, from when it was taken to now. Its events are
// the ends of the stages. A lane reads its batch's times, so it calls this before
// it goes on.
func (t *traces) landed(b *sinkd.Batch) {
	now := time.Now()
	_, span := t.tracer.Start(context.Background(), "batch",
		trace.WithTimestamp(b.Started), trace.WithSpanKind(trace.SpanKindConsumer))
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(t.pipeline, attribute.String("sinkd.batch_id", b.ID.String()),
		attribute.StringSlice("sinkd.ranges", ranges(b)), attribute.Int("sinkd.records", b.Records()),
		attribute.Int("sinkd.dead", len(b.Dead)), attribute.Float64("sinkd.wait_seconds", b.Waited.Seconds()))
	merged := now.Add(-b.Timing.Commit)
	copied := merged.Add(-b.Timing.Merge)
	for _, stage := range []struct {
		name string
		took time.Duration
		end  time.Time
	}{
		{"build", b.Built, b.Started.Add(b.Built)},
		{"copy", b.Timing.Copy, copied},
		{"merge", b.Timing.Merge, merged},
		{"commit", b.Timing.Commit, now},
	} {
		span.AddEvent(stage.name, trace.WithTimestamp(stage.end), trace.WithAttributes(attribute.Float64("seconds", stage.took.Seconds())))
	}
	span.End(trace.WithTimestamp(now))
}

// maxTracedRanges bounds what a span says of its ranges.
const maxTracedRanges = 32

// ranges names the batch's ranges: orders[3] 120-340.
func ranges(b *sinkd.Batch) []string {
	names := make([]string, 0, min(len(b.Ranges), maxTracedRanges))
	for i := range b.Ranges[:min(len(b.Ranges), maxTracedRanges)] {
		r := &b.Ranges[i]
		names = append(names, fmt.Sprintf("%s %d-%d", r.Claim.Partition, r.From, r.Until-1))
	}
	return names
}

// close sends what is left, until the context ends.
func (t *traces) close(ctx context.Context) {
	if t != nil {
		_ = t.provider.Shutdown(ctx)
	}
}

// outageExporter says once that traces cannot be sent, and once that they can
// again. They are not kept meanwhile.
type outageExporter struct {
	sdktrace.SpanExporter
	log  *slog.Logger
	away atomic.Bool
}

// ExportSpans sends spans.
func (e *outageExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch {
	case err != nil && !e.away.Swap(true):
		e.log.Warn("traces cannot be sent", slog.String("error", oneLine(err.Error())))
	case err == nil && e.away.Swap(false):
		e.log.Info("traces are sent again")
	}
	return nil
}
