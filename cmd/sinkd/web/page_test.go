package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
)

func TestTell(t *testing.T) {
	now := time.Now()
	age := func(s float64) *float64 { return &s }
	running := func(parts ...stream.PartitionState) Status {
		return Status{Guarantee: "exactly-once", State: stream.State{Phase: "running", Live: true, LastCommit: &now, Partitions: parts}}
	}
	halted := Partition{Topic: "orders", Partition: 3, State: "halted", Why: "topic_recreated"}
	for _, test := range []struct {
		name         string
		status       Status
		parts        []Partition
		seen         sight
		text, detail string
		tone         string
	}{
		{"running", running(), []Partition{{State: "running", Seconds: age(0.26)}}, sight{}, "running, exactly-once, 0.2 s behind, last commit 0 s ago", "", "good"},
		{"far behind", running(), []Partition{{State: "running", Seconds: age(7300)}}, sight{}, "running, exactly-once, 2 h 1 min behind", "", "warn"},
		{"another's lag", running(), []Partition{{State: "running", Lag: 12345}}, sight{}, "running, exactly-once, 12 345 records behind", "", "good"},
		{"halted", running(), []Partition{halted, {State: "paused"}, {State: "running"}}, sight{}, "halted: orders[3], topic was recreated", "1 of 3 partitions go on.", "bad"},
		{"two halted", running(), []Partition{halted, halted}, sight{}, "halted: orders[3], topic was recreated; and 1 more", "", "bad"},
		{"an operator", running(), nil, sight{view: store.View{Status: store.Status{Paused: true}}}, "paused, exactly-once: an operator has paused the pipeline", "", "warn"},
		{"stuck", Status{State: stream.State{Phase: "running", Reason: "lane 1 has made no step"}}, nil, sight{}, "stuck: lane 1 has made no step", "", "bad"},
		{"starting", Status{Guarantee: "exactly-once", State: stream.State{Phase: "starting", Live: true, Reason: "no partitions"}}, nil, sight{}, "starting, exactly-once: no partitions", "", "warn"},
		{"both away", Status{State: stream.State{Phase: "retrying", Outages: []stream.Outage{
			{Dependency: "kafka", Since: now, Attempts: 2, Error: "refused"}, {Dependency: "postgres", Since: now.Add(-time.Hour), Attempts: 41, Error: "(SQLSTATE 57P01)"},
		}}}, []Partition{halted}, sight{}, "retrying: Kafka fails since ", "PostgreSQL: attempt 41, next in 0 s: (SQLSTATE 57P01)", "bad"},
	} {
		h := tell(&test.status, test.parts, &test.seen)
		if !strings.HasPrefix(h.Text, test.text) || !strings.Contains(h.Detail, test.detail) || h.Tone != test.tone || h.Key == "" {
			t.Errorf("%s: %+v", test.name, h)
		}
	}
}

func TestReadable(t *testing.T) {
	for _, test := range []struct {
		in         string
		all        int64
		form, text string
		cut        bool
	}{
		{`{"a":1}`, 7, "json", "{\n  \"a\": 1\n}", false},
		{`12`, 2, "json", "12", false},
		{`{"a":`, 5, "text", `{"a":`, false},
		{`{"a":1}`, 900, "text", `{"a":1}`, true},
		{"ä\xc3", 900, "text", "ä", true},
		{"\x00\xff", 2, "hex", "00000000  00 ff", false},
		{"a\x1b[2J", 5, "hex", "00000000  61 1b", false},
		{"", 0, "text", "", false},
	} {
		p := readable([]byte(test.in), test.all)
		if p.Form != test.form || !strings.HasPrefix(p.Text, test.text) || p.Cut != test.cut || p.Bytes != test.all {
			t.Errorf("%q: %+v", test.in, p)
		}
	}
	if p := readable(nil, 0); p.Form != "null" {
		t.Errorf("NULL is %+v", p)
	}
}

// TestMerge puts what this process knows over what the database tells.
func TestMerge(t *testing.T) {
	now := time.Now()
	n := func(v int64) *int64 { return &v }
	old := now.Add(-time.Minute)
	seen := sight{view: store.View{Status: store.Status{Now: now, Partitions: []store.PartitionStatus{
		{Topic: "t", Partition: 0, Next: 5, End: n(10), LogStart: n(1), Writer: "a", Observed: &now},
		{Topic: "t", Partition: 1, Next: 5, End: n(10), LogStart: n(1), Writer: "b", Observed: &now},
		{Topic: "t", Partition: 2, Next: 5, Halted: "data_lost"},
		{Topic: "t", Partition: 3, Next: 5, Writer: "b", Observed: &old},
		{Topic: "t", Partition: 4, Next: 5},
		{Topic: "t", Partition: 5, Next: 5, Writer: "b", Observed: &now, Paused: true},
	}}}}
	st := Status{Writer: "a", State: stream.State{Partitions: []stream.PartitionState{
		{Topic: "t", State: "running", Position: 8, Lag: 2, LagSeconds: 0.5, LogStart: 1, End: 10},
		{Topic: "new", State: "claiming", Lane: -1},
	}}}
	got := map[string]Partition{}
	var order []string
	for _, p := range merge(&st, &seen) {
		order = append(order, p.State)
		got[p.Topic+string('0'+p.Partition)] = p
	}
	if want := "halted silent paused free claiming running running"; strings.Join(order, " ") != want {
		t.Errorf("order %v, want %s", order, want)
	}
	if p := got["t0"]; p.Position != 8 || p.Lag != 2 || *p.Seconds != 0.5 || p.Owner != "a" {
		t.Errorf("its own: %+v", p)
	}
	if p := got["t1"]; p.Position != 5 || p.Lag != 5 || p.Seconds != nil || p.Owner != "b" {
		t.Errorf("another's: %+v", p)
	}
}

func TestRates(t *testing.T) {
	var r rates
	at := time.Now()
	for i := range int64(20) {
		r.add(at, []Partition{{Topic: "t", Position: i * 100, End: 10_000 + i*40, Lag: 10_000 - i*60}})
		at = at.Add(time.Second)
	}
	if in, out := r.average(smooth); in < 39 || in > 45 || out < 99 || out > 111 {
		t.Errorf("in %v, out %v", in, out)
	}
	if left, ok := r.left(); !ok || left < 2*time.Minute || left > 3*time.Minute {
		t.Errorf("left %v, %v", left, ok)
	}
	r.recall([]store.LedgerBatch{{Committed: at.Add(-time.Minute), Records: 50, Behind: 3}, {Committed: at.Add(-5 * time.Minute), Records: 70}})
	var sum float64
	for i, s := range r.shown {
		if i > 0 && s.At <= r.shown[i-1].At {
			t.Fatalf("sample %d is at %d, after %d", i, s.At, r.shown[i-1].At)
		}
		if s.In == nil {
			sum += s.Out * smooth.Seconds()
		}
	}
	if sum < 119 || sum > 121 {
		t.Errorf("%v records are recalled", sum)
	}
}

func TestHistory(t *testing.T) {
	h := newHistory()
	id := uuid.New()
	h.landed(&stream.Landing{ID: id, Records: 3, Ended: time.Now(), Waited: time.Second}, "a")
	h.committed(&store.LedgerBatch{ID: id, Records: 3, Committed: time.Now()})
	if b := h.after(0); len(b) != 1 || b[0].Stages == nil || b[0].Stages.Wait != 1000 {
		t.Errorf("%+v", b)
	}
	for range 3 * batchesKept {
		h.committed(&store.LedgerBatch{ID: uuid.New(), Records: 1, Committed: time.Now()})
	}
	if n, shown := len(h.byID), newest(h.after(0)); n > 2*batchesKept || len(shown) != batchesKept {
		t.Errorf("%d are kept, %d shown", n, len(shown))
	}
}

// TestWork sums up the last batches, and names what bounds those who are behind.
func TestWork(t *testing.T) {
	behind := &Status{State: stream.State{Partitions: []stream.PartitionState{{}, {Lag: 1}}}}
	for _, test := range []struct {
		waited, built time.Duration
		sinkd.Timing
		bound string
	}{
		{4 * time.Second, time.Second, sinkd.Timing{Copy: time.Second, Merge: time.Second}, "Kafka"},
		{3 * time.Second, 2 * time.Second, sinkd.Timing{Copy: time.Second, Merge: time.Second}, "sinkd"},
		{time.Second, time.Second, sinkd.Timing{Copy: time.Second, Commit: 2 * time.Second}, "PostgreSQL"},
		{time.Second, time.Second, sinkd.Timing{Merge: 2 * time.Second}, "PostgreSQL"},
	} {
		h := newHistory()
		h.committed(&store.LedgerBatch{ID: uuid.New(), Records: 1000, Committed: time.Now()})
		if h.work(behind) != nil {
			t.Error("a batch of another process has stages")
		}
		for range workBatches + 9 {
			h.landed(&stream.Landing{ID: uuid.New(), Records: 3, Ended: time.Now(), Waited: test.waited, Built: test.built, Timing: test.Timing}, "a")
		}
		w := h.work(behind)
		if w.Batches != workBatches || w.Records != 3*workBatches || w.Stages.Build != workBatches*milliseconds(test.built) || w.Bound != test.bound {
			t.Errorf("%+v in place of %s", w, test.bound)
		}
		if w := h.work(&Status{}); w.Bound != "" {
			t.Errorf("caught up, and bound by %s", w.Bound)
		}
	}
}

// deaf is a database that does not answer.
type deaf struct{}

func (deaf) View(context.Context, time.Time) (store.View, error) {
	return store.View{}, errors.New("nobody\nanswers")
}

func (deaf) ViewLetters(context.Context) (store.ViewLetters, error) {
	return store.ViewLetters{}, errors.New("nobody answers")
}

// TestPageHandler asks for the page as browsers and programs do.
func TestPageHandler(t *testing.T) {
	status := func() Status {
		return Status{Pipeline: "orders", Guarantee: "exactly-once", State: stream.State{Phase: "running", Live: true}}
	}
	p := NewPage(PageConfig{Status: status, Landings: func(int) ([]stream.Landing, int) { return nil, 0 }, Ledger: deaf{}, Payloads: true})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	h := Handler(Config{Token: "s3cret", Metrics: prometheus.NewRegistry(), Status: status, Page: p})
	for _, test := range []struct {
		path, accept, token string
		code                int
		body                string
	}{
		{"/", "text/html,*/*", "", 200, `data-token="wanted"`},
		{"/", "", "", 401, "SINKD_HTTP_TOKEN"},
		{"/", "*/*", "s3cret", 200, "running, exactly-once"},
		{"/assets/app.js", "", "", 200, "use strict"},
		{"/assets/uplot.LICENSE", "", "", 200, "MIT"},
		{"/assets/", "", "", 404, ""},
		{"/assets/nothing", "", "", 404, ""},
		{"/api/events", "", "", 401, ""},
		{"/api/batches", "", "", 401, ""},
		{"/api/batches", "", "s3cret", 200, `"error": "nobody answers"`},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, test.path, nil)
		r.Header.Set("Accept", test.accept)
		if test.token != "" {
			r.Header.Set("Authorization", "Bearer "+test.token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.code || !strings.Contains(w.Body.String(), test.body) {
			t.Errorf("%s: %d %q", test.path, w.Code, w.Body)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			if got := w.Header().Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s is %q", test.path, name, got)
			}
		}
	}
}
