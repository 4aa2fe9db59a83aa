package web_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd/stream"
)

// visit is one look at the page.
type visit struct {
	*testing.T
	browser context.Context
}

// TestBrowser looks at the page in a real browser. All of its cases share one.
func TestBrowser(t *testing.T) {
	b := browser(t)
	for _, test := range []struct {
		name string
		look func(*visit)
	}{
		{"live", lookLive},
		{"catching up", lookCatchUp},
		{"halted", lookHalted},
		{"token", lookToken},
		{"no token", lookNoToken},
		{"256 partitions", lookMany},
		{"10000 dead letters", lookLetters},
		{"narrow", lookNarrow},
		{"dark", lookDark},
		{"keyboard", lookKeyboard},
		{"postgres away", lookPostgresAway},
		{"kafka away", lookKafkaAway},
		{"service away", lookServiceAway},
		{"idempotent", lookIdempotent},
		{"two pages", lookTwice},
		{"blocked", lookBlocked},
		{"service", lookService},
	} {
		t.Run(test.name, func(t *testing.T) { test.look(&visit{t, b}) })
	}
}

// own makes the process hold partition 0 of a topic.
func (s *site) own(topic string, position, end int64) {
	st := *s.state.Load()
	now := time.Now()
	st.LastCommit = &now
	st.Partitions = []stream.PartitionState{{
		Topic: topic, State: "running", Position: position, Lag: end - position, LagSeconds: float64(end-position) / 1000, LogStart: 100000, End: end,
	}}
	s.state.Store(&st)
}

func lookLive(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "", nil)
	s.partitions("orders", 4)
	s.batches("orders", 120)
	s.own("orders", 899800, 900000)
	p := s.open(b, 1180, false)
	p.says("running, exactly-once, 0.2 s behind, last commit ")
	p.says("4 partitions")
	p.until(`document.getElementById('person').hidden`)
	p.says("120 batches")
	p.until(`document.querySelectorAll('#rates canvas, #behind canvas').length === 2`)
	p.shot("live")
	for i := range int64(4) { // it moves without a reload
		s.own("orders", 950000+i*1000, 960000+i*2000)
		p.says(fmt.Sprintf("%d s behind", 10+i))
		p.until(fmt.Sprintf(`document.getElementById('parts').innerText.replace(/\s/g, '').includes('%d')`, 950000+i*1000))
	}
	s.batches("clicks", 1)
	p.says("121 batches")
}

// lookCatchUp has the page foretell when a process that is behind has caught up.
func lookCatchUp(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "", nil)
	s.partitions("orders", 4)
	s.own("orders", 500000, 900000)
	p := s.open(b, 1180, false)
	p.says("exactly-once, 6 min behind, last commit ")
	const left = `/behind, caught up in about \d+ (s|min)\.$/.test(document.getElementById('rates-say').innerText)`
	for i := int64(1); !eval[bool](p, left); i++ {
		s.own("orders", 500000+i*1000, 900000)
		p.until(fmt.Sprintf(`document.getElementById('parts').innerText.replace(/\s/g, '').includes('%d')`, 500000+i*1000))
		if i == 60 {
			t.Fatalf("nothing is foretold: %s", eval[string](p, `document.getElementById('rates-say').innerText`))
		}
	}
	p.shot("catching-up")
}

func lookHalted(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "", nil)
	s.partitions("orders", 4)
	s.batches("orders", 300)
	s.letters("orders", 7)
	s.sql(`UPDATE sinkd.offsets SET halted = 'topic_recreated' WHERE partition = 3`,
		`INSERT INTO sinkd.incidents (pipeline, topic, partition, kind, detail) VALUES ('orders', 'orders', 3, 'topic_recreated',
		 'topic orders has id 5f0c2f4e-0000-4000-8000-000000000002, and 5f0c2f4e-0000-4000-8000-000000000001 was pinned')`)
	p := s.open(b, 1180, false)
	p.says("halted: orders[3], topic was recreated")
	p.says("Needs a person (3)")
	p.says("sinkd incidents ack 1 --resume-from earliest")
	p.says("column id (bigint): a string that is no number")
	p.says("SQLSTATE 22P02")
	if first := eval[string](p, `document.querySelector('#parts tbody tr').innerText`); !strings.Contains(first, "orders[3]") || !strings.Contains(first, "halted") {
		t.Errorf("the first partition is %q", first)
	}
	if tone := eval[string](p, `document.getElementById('tone').innerText + document.getElementById('announce').innerText`); !strings.HasPrefix(tone, "✕halted") {
		t.Errorf("beside the colour it says %q", tone)
	}
	p.shot("halted")
	s.sql(`UPDATE sinkd.offsets SET halted = NULL`, `UPDATE sinkd.incidents SET acked_at = now()`, `DELETE FROM sinkd.dead_letters`)
	p.until(`document.getElementById('person').hidden`)
	p.says("running, exactly-once")
}

func lookToken(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "s3cret", nil)
	s.partitions("orders", 2)
	s.letters("orders", 3)
	s.sql(`INSERT INTO sinkd.dead_letters (pipeline, topic, partition, record_offset, key, value, stage, reason) VALUES
		('orders', 'orders', 0, 100, '\x00ff', '\x0001fe80', 'decode', 'not JSON'),
		('orders', 'orders', 0, 101, NULL, convert_to('<script>alert(1)</script>', 'UTF8'), 'decode', 'not JSON')`)
	p := s.open(b, 1180, false)
	p.says("This page needs the token")
	if text := eval[string](p, `document.documentElement.outerHTML`); strings.Contains(text, "exactly-once") || strings.Contains(text, "no number") {
		t.Error("data is there before the token")
	}
	p.shot("token")
	p.run(chromedp.SendKeys(chromedp.CSS("#token"), "wrong"+kb.Enter))
	p.says("That is not the token.")
	p.pardon("401")
	p.run(chromedp.SendKeys(chromedp.CSS("#token"), "s3cret"+kb.Enter))
	p.says("5 dead letters")
	p.run(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('#letters details').forEach(d => d.open = true)`))
	for _, want := range []string{`"id": "none"`, "00 01 fe 80", "<script>alert(1)</script>", "hex, 4 bytes"} {
		p.says(want)
	}
	p.shot("letters")
	p.run(chromedp.Reload())
	p.says("5 dead letters") // the tab keeps the token
	p.pardon("ERR_INCOMPLETE_CHUNKED_ENCODING")
}

func lookNoToken(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "", nil)
	s.letters("orders", 3)
	p := s.open(b, 1180, false)
	p.says("3 dead letters")
	p.says("Their bytes are shown only where SINKD_HTTP_TOKEN is set.")
	if strings.Contains(eval[string](p, `document.body.textContent`), `"id"`) {
		t.Error("a payload is shown without a token")
	}
	answer, err := http.Get(s.url + "/api/batches") //nolint:noctx // The server of the test itself.
	s.must(err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("/api/batches: %d", answer.StatusCode)
	}
}

// firstPaint is the bar.
const firstPaint = 300 * time.Millisecond

func lookMany(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "", nil)
	s.partitions("orders", 256)
	s.batches("orders", 300)
	s.sql(`UPDATE sinkd.offsets SET halted = 'data_lost' WHERE partition IN (7, 9)`,
		`UPDATE sinkd.partitions SET paused = true WHERE partition = 5`)
	p := s.open(b, 1180, false)
	p.says("256 partitions, 2 halted")
	best := time.Hour
	for try := 1; try <= 12 && best > firstPaint; try++ { // a loaded machine is slow by chance
		if try > 1 {
			p.run(chromedp.Reload())
			p.says("256 partitions")
		}
		p.until(`performance.getEntriesByName('sinkd-painted').length > 0 && performance.getEntriesByName('first-contentful-paint').length > 0`)
		first := eval[float64](p, `performance.getEntriesByName('first-contentful-paint')[0].startTime`)
		full := eval[float64](p, `performance.getEntriesByName('sinkd-painted')[0].startTime`)
		t.Logf("256 partitions, try %d: first paint after %.0f ms, with the partitions after %.0f ms", try, first, full)
		best = min(best, time.Duration(max(first, full)*float64(time.Millisecond)))
	}
	if best > firstPaint {
		t.Errorf("first paint after %s, the bar is %s", best, firstPaint)
	}
	p.pardon("ERR_INCOMPLETE_CHUNKED_ENCODING")
	p.shot("256")
	p.run(chromedp.Click(chromedp.CSS("#more-parts summary")))
	p.until(`document.querySelectorAll('#parts tbody tr, #more-parts tbody tr').length === 256`)
	p.fits()
}

func lookLetters(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "s3cret", nil)
	s.partitions("orders", 4)
	s.letters("orders", 10000)
	p := s.open(b, 1180, false)
	p.run(chromedp.SendKeys(chromedp.CSS("#token"), "s3cret"+kb.Enter))
	p.until(`document.body.innerText.replace(/\s/g, ' ').includes('10 000 dead letters; the newest 50 are here')`)
	if n := eval[int](p, `document.querySelectorAll('#letters li').length`); n != 50 {
		t.Errorf("%d letters are in the list", n)
	}
	took := eval[float64](p, `(() => { const d = performance.now(); document.querySelectorAll('#letters details').forEach(d => d.open = true);
		document.body.getBoundingClientRect(); return performance.now() - d })()`)
	t.Logf("all letters opened within %.0f ms", took)
	p.shot("10000")
}

func lookNarrow(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "", nil)
	s.partitions("a_topic_with_quite_a_long_name_that_does_not_break", 6)
	s.batches("orders", 300)
	s.letters("orders", 5)
	s.sql(`UPDATE sinkd.offsets SET halted = 'configuration' WHERE partition = 2`,
		`INSERT INTO sinkd.incidents (pipeline, topic, partition, kind, detail) VALUES ('orders', 'a_topic_with_quite_a_long_name_that_does_not_break', 2,
		 'configuration', 'permission denied for table orders (SQLSTATE 42501); GRANT INSERT ON TABLE public.orders TO app_with_a_long_name')`)
	p := s.open(b, 360, false)
	p.says("halted: a_topic")
	p.says("300 batches")
	p.until(`document.querySelectorAll('#rates canvas').length === 1`)
	p.fits()
	p.shot("narrow")
	p.run(chromedp.Click(chromedp.CSS("#bars")))
	p.until(`!document.getElementById('batch').hidden`)
	p.fits()
}

func lookDark(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "", nil)
	s.partitions("orders", 8)
	s.batches("orders", 240)
	s.lands(60)
	s.own("orders", 899800, 900000)
	p := s.open(b, 1180, true)
	p.says("300 batches")
	p.until(`document.querySelectorAll('#rates canvas').length === 1`)
	p.run(chromedp.Focus(chromedp.CSS("#bars")), chromedp.KeyEvent(kb.End))
	p.says("wait 43 ms, build 28 ms, copy 63 ms, merge 18 ms, commit 20 ms")
	p.says("22P02")
	p.says("so it is bound by PostgreSQL")
	p.shot("dark")
}

// lookKeyboard walks with the keyboard, and checks what a screen reader reads.
func lookKeyboard(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "", nil)
	s.partitions("orders", 30)
	s.batches("orders", 20)
	p := s.open(b, 1180, false)
	p.says("20 batches")
	p.run(chromedp.Focus(chromedp.CSS("#bars")), chromedp.KeyEvent(kb.ArrowLeft))
	p.until(`document.getElementById('bars').getAttribute('aria-valuenow') === '20'`)
	p.run(chromedp.KeyEvent(kb.Home))
	p.until(`document.getElementById('bars').getAttribute('aria-valuenow') === '1'`)
	p.says("orders[0] 0–999")
	p.run(chromedp.Focus(chromedp.CSS("#more-parts summary")), chromedp.KeyEvent(kb.Enter))
	p.until(`document.getElementById('more-parts').open`)
	for _, check := range []struct{ what, expression string }{
		{"one h1 is seen", `[...document.querySelectorAll('h1')].filter(h => h.offsetParent).length === 1`},
		{"landmarks", `['header', 'main', 'footer'].every(t => document.querySelectorAll(t).length === 1)`},
		{"sections are named", `[...document.querySelectorAll('section')].every(s => document.getElementById(s.getAttribute('aria-labelledby')))`},
		{"the order of the page", `[...document.querySelectorAll('section:not([hidden]) h1, section h2, footer h2')].map(h => h.id || 'foot').join() ===
			'sentence,person-h,rates-h,batches-h,parts-h,letters-h,lanes-h,foot'`},
		{"table headers", `[...document.querySelectorAll('table:not(.u-legend)')].every(t => t.caption && t.querySelectorAll('thead th[scope=col]').length > 0)`},
		{"row headers", `[...document.querySelectorAll('table:not(.u-legend) tbody tr')].every(r => r.querySelector('th[scope=row]'))`},
		{"a live sentence", `document.getElementById('announce').getAttribute('aria-live') === 'polite' && document.getElementById('announce').textContent !== ''`},
		{"no handlers or styles in the markup", `document.querySelectorAll('main [onclick], script:not([src]), style').length === 0`},
		{"no buttons", `document.querySelectorAll('#page button, #page input').length === 0`},
		{"focus is seen", `getComputedStyle(document.activeElement).outlineStyle !== 'none'`},
	} {
		if !eval[bool](p, check.expression) {
			t.Error(check.what)
		}
	}
}

// lookTwice has two pages open, which ask the database no more than one.
func lookTwice(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "", nil)
	s.partitions("orders", 4)
	began := time.Now()
	one, two := s.open(b, 1180, false), s.open(b, 1180, false)
	one.says("4 partitions")
	two.says("4 partitions")
	before := s.ledger.views.Load()
	for s.ledger.views.Load() < before+2 {
		one.says("running, exactly-once")
		two.says("running, exactly-once")
	}
	if n, most := s.ledger.views.Load(), int64(time.Since(began)/(2*time.Second))+2; n > most {
		t.Errorf("the database was asked %d times in %s, at most %d are right", n, time.Since(began), most)
	}
}

// lookBlocked names the session that one of the pipeline's waits for.
func lookBlocked(v *visit) {
	t, b := v.T, v.browser
	s := newSite(t, "", nil)
	s.partitions("orders", 2)
	s.sql(`CREATE TABLE target (id bigint)`, `SET application_name = 'a person'`, `BEGIN`, `LOCK TABLE target`)
	blocked, err := pgx.Connect(t.Context(), s.database)
	s.must(err)
	defer func() { _ = blocked.Close(context.Background()) }()
	_, err = blocked.Exec(t.Context(), `SET application_name = 'sinkd/orders/1badcafe'`)
	s.must(err)
	waited := make(chan error, 1)
	go func() {
		_, err := blocked.Exec(context.Background(), `TABLE target`)
		waited <- err
	}()
	p := s.open(b, 1180, false)
	p.says("Lock relation")
	p.until(`/pid \d+, a person, idle in transaction/.test(document.getElementById('sessions').innerText)`)
	p.shot("blocked")
	s.sql(`ROLLBACK`)
	s.must(<-waited)
}
