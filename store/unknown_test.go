package store_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
	"github.com/sinkd/sinkd/store"
)

// measured gives the store a registry to look into.
func measured(reg *prometheus.Registry) func(*store.Config) {
	return func(c *store.Config) { c.Metrics = store.NewMetrics(reg, c.Pipeline) }
}

// A COMMIT whose answer is lost is resolved inside Apply, which way ever it
// went; a retry without asking would be fenced where it had landed.
func TestUnknownCommit(t *testing.T) {
	for name, test := range map[string]struct {
		arm      func(*lab.Proxy) *lab.Fault
		resolved string
	}{
		"landed": {func(p *lab.Proxy) *lab.Fault { return p.CutAfterCommit(1) }, "landed"},
		"lost":   {func(p *lab.Proxy) *lab.Fault { return p.CutBeforeCommit(1) }, "lost"},
	} {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			proxy, reg := f.proxied(), prometheus.NewRegistry()
			proxy.MatchCopies()
			s := f.pinned(1, measured(reg))
			c := f.claim(s)
			fault := test.arm(proxy)
			f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))))
			f.must(fault.Wait(f.Context()))
			f.landed(5)
			if n := f.counter(reg, "sinkd_commit_unknown_total", test.resolved); n != 1 {
				t.Errorf("resolved as %s: %v", test.resolved, n)
			}
			f.must(s.Apply(f.Context(), 0, f.batch(from(c, 5, 6))))
			f.landed(6)
		})
	}
}

// While the question cannot be asked, Apply says so; the next one asks first.
func TestUnknownCommitWhileAway(t *testing.T) {
	f := setup(t)
	proxy, reg := f.proxied(), prometheus.NewRegistry()
	proxy.MatchCopies()
	s := f.pinned(1, measured(reg))
	c := f.claim(s)
	b := f.batch(from(c, 0, 5))
	fault := proxy.StallAfterCommit(1)
	done := make(chan error)
	go func() { done <- s.Apply(f.Context(), 0, b) }()
	f.must(fault.Wait(f.Context()))
	proxy.Refuse()
	proxy.CutAll()
	f.class(<-done, sinkd.Transient)
	f.class(s.Apply(f.Context(), 0, b), sinkd.Transient)
	f.must(proxy.Accept())
	f.must(s.Apply(f.Context(), 0, b))
	f.landed(5)
	if n := f.counter(reg, "sinkd_commit_unknown_total", "landed"); n != 1 {
		t.Errorf("landed: %v", n)
	}
}

// A batch that landed unknown, and whose partitions another writer took and
// moved on in the meantime, is over for us, whatever became of it.
func TestUnknownCommitAndFenced(t *testing.T) {
	f := setup(t)
	direct := f.open()
	proxy, reg := f.proxied(), prometheus.NewRegistry()
	proxy.MatchCopies()
	s := f.pinned(1, measured(reg))
	c := f.claim(s)
	fault := proxy.StallAfterCommit(1)
	done := make(chan error)
	go func() { done <- s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))) }()
	f.must(fault.Wait(f.Context()))
	next := f.claim(direct)
	f.must(direct.Apply(f.Context(), 0, f.batch(from(next, 5, 9))))
	proxy.CutAll()
	e := f.class(<-done, sinkd.Fenced)
	if len(e.Lost) != 1 {
		t.Errorf("lost %v", e.Lost)
	}
	f.landed(9)
	if n := f.counter(reg, "sinkd_commit_unknown_total", "fenced"); n != 1 {
		t.Errorf("fenced: %v", n)
	}
}

func TestCutInCopy(t *testing.T) {
	f := setup(t)
	proxy := f.proxied()
	s := f.pinned(1)
	c := f.claim(s)
	fault := proxy.CutInCopy(100, 1)
	f.class(s.Apply(f.Context(), 0, f.batch(from(c, 0, 500))), sinkd.Transient)
	f.must(fault.Wait(f.Context()))
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 500))))
	f.landed(500)
}

// A terminated backend costs an attempt, or none where it lay idle.
func TestTerminated(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))))
	f.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name LIKE 'sinkd/p/%' AND datname = current_database()`)
	<-time.After(1100 * time.Millisecond) // idle for long enough to be looked at
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 5, 8))))
	f.claim(s)
	f.landed(8)
}
