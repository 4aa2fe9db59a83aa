package web_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/web"
	"github.com/sinkd/sinkd/integration/lab"
	"github.com/sinkd/sinkd/migrations"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
)

// site is a page on a real store on a real database, with a process whose state
// the test sets.
type site struct {
	testing.TB
	url, database string
	db            *pgx.Conn
	state         atomic.Pointer[stream.State]
	// landings are what the process has landed.
	landings atomic.Pointer[[]stream.Landing]
	ledger   *counted
	// guarantee and limits are what the footer says.
	guarantee string
	limits    []string
	stop      func()
}

// counted counts what the page asks.
type counted struct {
	*store.Store
	views atomic.Int64
}

func (c *counted) View(ctx context.Context, since time.Time) (store.View, error) {
	c.views.Add(1)
	return c.Store.View(ctx, since)
}

// newSite serves a page; reach, where not nil, changes how it reaches the
// database.
func newSite(t *testing.T, token string, reach func(url string) string) *site {
	t.Helper()
	s := &site{TB: t, database: lab.Database(t), guarantee: "exactly-once", limits: []string{}}
	s.must(migrations.Up(t.Context(), s.database, "sinkd"))
	var err error
	s.db, err = pgx.Connect(t.Context(), s.database)
	s.must(err)
	t.Cleanup(func() { _ = s.db.Close(context.Background()) })
	s.sql(`INSERT INTO sinkd.pipelines (pipeline, cluster_id, kafka_group, started_at) VALUES ('orders', 'c-1', 'sinkd-orders', now())`)
	reached := s.database
	if reach != nil {
		reached = reach(s.database)
	}
	st, err := store.Open(store.Config{
		URL: func() (string, error) { return reached, nil }, Schema: "sinkd", Pipeline: "orders", Writer: "0badcafe", Lanes: 1,
	})
	s.must(err)
	s.ledger = &counted{Store: st}
	t.Cleanup(func() { s.ledger.Close(context.Background()) })
	s.busy()
	s.serve(t, token, s.ledger)
	return s
}

// newPlainSite serves the page of a process whose database keeps no tables.
func newPlainSite(t *testing.T) *site {
	t.Helper()
	s := &site{
		TB: t, guarantee: "idempotent: a replay converges to the same rows",
		limits: []string{"no tables are kept: there is no ledger to prove anything by, and a bad record stops its partition"},
	}
	s.busy()
	s.serve(t, "", nil)
	return s
}

// busy gives the process two lanes, one of which writes.
func (s *site) busy() {
	s.state.Store(&stream.State{Phase: "running", Ready: true, Live: true, Memory: 256 << 20, Inflight: 3 << 20, Lanes: []stream.LaneState{
		{Lane: 0, State: "writing", Since: time.Now(), Queued: 12345, Claims: 2, Pending: 1},
		{Lane: 1, State: "idle", Since: time.Now(), Claims: 2},
	}})
}

func (s *site) serve(t *testing.T, token string, ledger web.Ledger) {
	t.Helper()
	status := func() web.Status {
		return web.Status{
			Pipeline: "orders", Version: "v1.2.3", Writer: "0badcafe", Guarantee: s.guarantee, Limits: s.limits, State: *s.state.Load(),
		}
	}
	p := web.NewPage(web.PageConfig{
		Status: status, Landings: s.landed, Ledger: ledger, Payloads: token != "",
		Settings: []web.Setting{{Name: "SINKD_PIPELINE", Value: "orders"}, {Name: "SINKD_DATABASE_URL", Value: "postgres://app:***@db:5432/app"}},
	})
	h := web.Handler(web.Config{Token: token, Metrics: prometheus.NewRegistry(), Status: status, Page: p})
	server, err := web.Listen(t.Context(), "127.0.0.1:0", h, slog.New(slog.DiscardHandler))
	s.must(err)
	s.url = "http://" + server.Addr()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	s.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		server.Close()
	})
	t.Cleanup(s.stop)
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) sql(statements ...string) {
	s.Helper()
	for _, q := range statements {
		_, err := s.db.Exec(s.Context(), q)
		s.must(err)
	}
}

// partitions makes n partitions of a topic that another replica writes, every
// eighth of them behind.
func (s *site) partitions(topic string, n int) {
	s.Helper()
	s.sql(fmt.Sprintf(`INSERT INTO sinkd.offsets (pipeline, topic, partition, next_offset)
		SELECT 'orders', '%s', n, 900000 - CASE WHEN n %% 8 = 0 THEN n * 1000 ELSE 0 END FROM generate_series(0, %d) n`, topic, n-1),
		fmt.Sprintf(`INSERT INTO sinkd.partitions (pipeline, topic, partition, start_offset, log_start, end_offset, lag_seconds, observed_at, writer, claimed_at)
		SELECT 'orders', '%s', n, 0, 100000, 900000, CASE WHEN n %% 8 = 0 THEN n * 0.5 ELSE 0 END, now() + interval '1 h', CASE WHEN n %% 2 = 0 THEN '0badcafe' ELSE '1badcafe' END, now()
		  FROM generate_series(0, %d) n`, topic, n-1))
}

// batches fills the ledger of partition 0 with n batches.
func (s *site) batches(topic string, n int) {
	s.Helper()
	s.sql(fmt.Sprintf(`INSERT INTO sinkd.batches (batch_id, pipeline, topic, partition, generation, kind, from_offset, until_offset,
		records, rows, skipped, dead, bytes, first_timestamp, last_timestamp, started_at, committed_at, writer)
		SELECT gen_random_uuid(), 'orders', '%s', 0, 1, 'batch', n * 1000, n * 1000 + 1000, 1000, 999, 0, 1, 140000,
		       at - interval '3 s', at - interval '1 s', at - (20 + n * 37 %% 90) * interval '1 ms', at, '0badcafe'
		  FROM generate_series(0, %d) n, LATERAL (SELECT now() - (%d - n) * interval '2 s' AS at) t`, topic, n-1, n))
}

// landed gives the process's batches after the first n.
func (s *site) landed(n int) ([]stream.Landing, int) {
	all := s.landings.Load()
	if all == nil {
		return nil, 0
	}
	return (*all)[n:], len(*all)
}

// lands makes the process land n batches, the last of them after a refusal.
func (s *site) lands(n int) {
	all := make([]stream.Landing, n)
	now := time.Now()
	for i := range all {
		ms := func(base int) time.Duration { return time.Duration(base+i*37%(base+5)) * time.Millisecond }
		all[i] = stream.Landing{
			ID: uuid.New(), Started: now.Add(time.Duration(i-n) * 200 * time.Millisecond), Waited: ms(30), Built: ms(20),
			Timing:  sinkd.Timing{Copy: ms(40), Merge: ms(15), Commit: ms(8)},
			Records: 5000, Rows: 5000, Bytes: 700_000, Ranges: 1,
			Spans: []stream.LandedRange{{Partition: sinkd.Partition{Topic: "orders"}, From: int64(i) * 5000, Until: int64(i+1) * 5000}},
		}
		all[i].Ended = all[i].Started.Add(120 * time.Millisecond)
	}
	last := &all[n-1]
	last.SQLState, last.Dead, last.Rows = "22P02", 1, 4999
	s.landings.Store(&all)
}

// letters makes n dead letters.
func (s *site) letters(topic string, n int) {
	s.Helper()
	s.sql(fmt.Sprintf(`INSERT INTO sinkd.dead_letters (pipeline, topic, partition, record_offset, record_timestamp, key, value, stage, reason, sqlstate, failed_at)
		SELECT 'orders', '%s', n %% 4, n, now(), convert_to('k' || n, 'UTF8'), convert_to('{"id":"none","n":' || n || '}', 'UTF8'), 'convert',
		       'column id (bigint): a string that is no number', CASE WHEN n %% 3 = 0 THEN '22P02' END, now() - (%d - n) * interval '1 ms'
		  FROM generate_series(1, %d) n`, topic, n, n))
}

// tab is a page in the browser, with all that it did wrong.
type tab struct {
	*site
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

// open opens the page in a tab that shares nothing with others.
func (s *site) open(b context.Context, width int64, dark bool) *tab {
	s.Helper()
	ctx, cancel := chromedp.NewContext(b, chromedp.WithNewBrowserContext())
	s.Cleanup(cancel)
	t := &tab{site: s, ctx: ctx}
	s.must(chromedp.Listen(ctx, t.hear))
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	s.must(err)
	_, err = chromedp.Call(ctx, cdplog.Enable, cdp.Empty{})
	s.must(err)
	_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	s.must(err)
	t.run(chromedp.EmulateViewport(width, 900), chromedp.Navigate(s.url))
	s.Cleanup(t.innocent)
	return t
}

// hear notes what a page must not do.
func (t *tab) hear(event any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || "http://"+u.Host != t.url {
			t.faults = append(t.faults, "it asks "+e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		t.faults = append(t.faults, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			t.faults = append(t.faults, fmt.Sprintf("console: %s %s", e.Type, e.Args[0].Value))
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError {
			t.faults = append(t.faults, "log: "+e.Entry.Text)
		}
	}
}

// innocent checks that nothing was noted, and that the page is no wider than
// its window.
func (t *tab) innocent() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.faults {
		t.Error(f)
	}
}

// pardon forgets what was noted that contains text.
func (t *tab) pardon(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.faults[:0]
	for _, f := range t.faults {
		if !strings.Contains(f, text) {
			kept = append(kept, f)
		}
	}
	t.faults = kept
}

func (t *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, time.Minute)
	defer cancel()
	t.must(chromedp.Do(ctx, actions...))
}

// eval gives the value of an expression in the page.
func eval[T any](t *tab, expression string) (v T) {
	t.Helper()
	v, err := chromedp.Run(t.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits until an expression in the page is true.
func (t *tab) until(expression string) {
	t.Helper()
	for deadline := time.Now().Add(45 * time.Second); !eval[bool](t, "!!("+expression+")"); <-time.After(30 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s; the page says:\n%s", expression, eval[string](t, `document.body.innerText`))
		}
	}
}

// says waits until the page shows a text.
func (t *tab) says(text string) {
	t.Helper()
	t.until(fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
}

// shot takes a picture of the whole page and says where it is; it stays there
// with -artifacts.
func (t *tab) shot(name string) {
	t.Helper()
	picture, err := chromedp.Run(t.ctx, chromedp.FullScreenshot(100))
	t.must(err)
	path := filepath.Join(t.ArtifactDir(), name+".png")
	t.must(os.WriteFile(path, picture, 0o644))
	if !bytes.HasPrefix(picture, []byte("\x89PNG")) {
		t.Errorf("%s is no PNG", path)
	}
	t.Logf("screenshot: %s", path)
}

// fits tells that nothing is cut or scrolled sideways.
func (t *tab) fits() {
	t.Helper()
	if wide := eval[float64](t, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
		t.Errorf("the page is %v px wider than its window: %s", wide, eval[string](t, `[...document.querySelectorAll('body *')].filter(
			e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.closest('.scroll')).map(e => e.tagName + '#' + e.id).join(' ')`))
	}
}
