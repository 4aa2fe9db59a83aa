package web_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/sinkd/sinkd/cmd/sinkd/web"
	"github.com/sinkd/sinkd/integration/lab"
	"github.com/sinkd/sinkd/stream"
)

func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }

// status is that of a pipeline that waits for its database.
func status() web.Status {
	return web.Status{
		Pipeline: "orders", Version: "v1.2.3", Guarantee: "exactly-once",
		State: stream.State{
			Phase: "retrying", Reason: "postgres: retrying since 02:14, attempt 41", Live: true,
			Lanes:    []stream.LaneState{{State: "waiting"}, {State: "idle"}, {State: "waiting"}},
			Inflight: 4096,
		},
	}
}

func handler(token string, s func() web.Status) http.Handler {
	reg := web.Registry("orders", web.Info{Version: "v1.2.3", Delivery: "exactly-once", Mode: "append"}, s)
	return web.Handler(web.Config{Token: token, Metrics: reg, Status: s})
}

func get(t *testing.T, h http.Handler, path, token string) (code int, body string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestProbes(t *testing.T) {
	running := func() web.Status {
		return web.Status{Guarantee: "exactly-once", State: stream.State{
			Phase: "running", Ready: true, Live: true, Partitions: []stream.PartitionState{{Lag: 3}, {Lag: 4}},
		}}
	}
	stuck := func() web.Status { return web.Status{State: stream.State{Phase: "running", Ready: true}} }
	for _, test := range []struct {
		path   string
		status func() web.Status
		code   int
		body   string
	}{
		{"/livez", running, 200, "running, exactly-once, 2 partitions, 7 records behind"},
		{"/readyz", running, 200, "running"},
		{"/livez", status, 200, "retrying"},
		{"/readyz", status, 503, "retrying, exactly-once: postgres: retrying since 02:14, attempt 41"},
		{"/livez", stuck, 503, "running"},
		{"/readyz", stuck, 200, "running"},
	} {
		code, body := get(t, handler("", test.status), test.path, "")
		if code != test.code || !strings.Contains(body, test.body) {
			t.Errorf("%s: %d %q in place of %d %q", test.path, code, body, test.code, test.body)
		}
	}
}

func TestToken(t *testing.T) {
	h := handler("s3cret", status)
	for _, test := range []struct {
		path, token string
		code        int
	}{
		{"/livez", "", 200},
		{"/readyz", "", 503},
		{"/", "", 401},
		{"/", "s3cret", 200},
		{"/api/status", "", 401},
		{"/api/status", "wrong", 401},
		{"/api/status", "s3cret", 200},
		{"/metrics", "", 401},
		{"/metrics", "s3cret", 200},
		{"/debug/pprof/", "", 401},
		{"/debug/pprof/", "s3cret", 200},
		{"/nothing", "", 401},
		{"/nothing", "s3cret", 404},
	} {
		code, body := get(t, h, test.path, test.token)
		if code != test.code {
			t.Errorf("%s with token %q: %d in place of %d", test.path, test.token, code, test.code)
		}
		if test.token == "" && strings.Contains(body, "02:14") {
			t.Errorf("%s gives the reason to anybody: %q", test.path, body)
		}
	}
	if code, _ := get(t, handler("", status), "/debug/pprof/", ""); code != http.StatusNotFound {
		t.Errorf("without a token pprof answers %d", code)
	}
}

func TestStatus(t *testing.T) {
	_, body := get(t, handler("", status), "/api/status", "")
	var got struct {
		Pipeline, State, Guarantee string
		Lanes                      []any
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Pipeline != "orders" || got.State != "retrying" || got.Guarantee != "exactly-once" || len(got.Lanes) != 3 {
		t.Errorf("%+v", got)
	}
}

func TestMetrics(t *testing.T) {
	_, body := get(t, handler("", status), "/metrics", "")
	for _, want := range []string{
		`sinkd_build_info{pipeline="orders",revision="",version="v1.2.3"} 1`,
		`sinkd_pipeline_info{delivery="exactly-once",isolation="",mode="append",pipeline="orders"} 1`,
		`sinkd_pipeline_state{pipeline="orders",state="retrying"} 1`,
		`sinkd_pipeline_state{pipeline="orders",state="halted"} 0`,
		`sinkd_lanes{pipeline="orders",state="waiting"} 2`,
		`sinkd_lanes{pipeline="orders",state="writing"} 0`,
		`sinkd_inflight_bytes{pipeline="orders"} 4096`,
		"go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestServer(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s, err := web.Listen(t.Context(), "127.0.0.1:0", handler("", status), log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := web.Listen(t.Context(), s.Addr(), nil, log); err == nil {
		t.Error("an address was taken twice")
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+s.Addr()+"/livez", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil || !strings.HasPrefix(string(body), "retrying") {
		t.Errorf("%q, %v", body, err)
	}
	_ = answer.Body.Close()
	s.Close()
	if _, err := client.Do(r); err == nil {
		t.Error("it answers after its end")
	}
}
