package integration_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sinkd/sinkd/integration/lab"
)

// A COMMIT that the server never got: the batch is applied again.
func TestCutBeforeCommit(t *testing.T) {
	t.Parallel()
	cutAtCommit(t, "lost", func(p *lab.Proxy) *lab.Fault { return p.CutBeforeCommit(1) })
}

// A COMMIT that is done, and whose answer is lost: the batch is not applied
// again.
func TestCutAfterCommit(t *testing.T) {
	t.Parallel()
	cutAtCommit(t, "landed", func(p *lab.Proxy) *lab.Fault { return p.CutAfterCommit(1) })
}

// cutAtCommit lets a fault strike at the COMMIT of a batch with a dead letter.
// What lands and what the service knows of it are told apart: without the
// resolution the latter is wrong, and only without the offset compare as well
// the former.
func cutAtCommit(t *testing.T, resolved string, arm func(*lab.Proxy) *lab.Fault) {
	t.Helper()
	w, _ := newFakeWorld(t, 1)
	e, proxy := w.proxied("SINKD_LANES", "1")
	proxy.MatchCopies()
	s := start(t, e)
	s.ready(30 * time.Second)
	fault := arm(proxy)
	try(t, w.tryMix(t.Context(), 400, 1, `{"id": "none"}`))
	strikes(t, fault)
	w.produce(100, 1)
	w.sub(t, "exact", w.complete)
	w.sub(t, "metric", func() {
		n, all := s.metric("sinkd_commit_unknown_total", `resolved="`+resolved+`"`), s.metric("sinkd_commit_unknown_total")
		if n != 1 || all != 1 {
			w.t.Errorf("%v unknown COMMITs, %v of them resolved as %s: want 1 and 1", all, n, resolved)
		}
	})
}

// sub is a part of a test with a result of its own.
func (w *world) sub(t *testing.T, name string, body func()) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		outer := w.t
		defer func() { w.t = outer }()
		w.t = t
		body()
	})
}

// strikes waits until a fault has struck.
func strikes(t testing.TB, f *lab.Fault) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := f.Wait(ctx); err != nil {
		t.Fatalf("the fault did not strike: %v", err)
	}
}

// The connection is cut again and again in the middle of COPY, under load.
func TestCutsInCopy(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	e, proxy := w.proxied("SINKD_BATCH_MAX_RECORDS", "200")
	start(t, e).ready(30 * time.Second)
	stop := w.feed(50, 2)
	for i := range 5 {
		strikes(t, proxy.CutInCopy(int64(100+500*i), 1))
		w.advance(1)
	}
	stop()
	w.complete()
}

// The server is shut down at once, without a checkpoint, and recovers, twice.
func TestServerRestartedUnderLoad(t *testing.T) {
	t.Parallel()
	pg, err := lab.StartPostgres(lab.PostgresOptions{})
	lab.Require(t, err)
	w := newWorldAt(t, lab.Cluster(t).ListenAddrs()[0], pg.Database(t), 2)
	s := start(t, w.env().with("SINKD_BATCH_MAX_RECORDS", "200"))
	s.ready(30 * time.Second)
	stop := w.feed(50, 2)
	for range 2 {
		w.advance(500)
		try(t, pg.Restart("immediate"))
		w.disconnect()
	}
	w.advance(500)
	stop()
	w.complete()
	s.ready(10 * time.Second)
}

// All sessions of the service are ended by the server, again and again.
func TestBackendsTerminatedUnderLoad(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	start(t, w.env().with("SINKD_BATCH_MAX_RECORDS", "200")).ready(30 * time.Second)
	stop := w.feed(50, 2)
	for range 5 {
		w.advance(200)
		if n := w.terminate(); n == 0 {
			t.Error("there was no session to end")
		}
	}
	w.advance(200)
	stop()
	w.complete()
}

// terminate ends all sessions of sinkd on the world's database, and tells how
// many there were.
func (w *world) terminate() int {
	w.t.Helper()
	return len(query[bool](w, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name LIKE 'sinkd/%' AND datname = current_database()`))
}

// A standby that has not got the last commits is promoted: rows, ledger and
// positions go back together, and what they lost is read again.
func TestStandbyPromotedWithoutTheLastCommits(t *testing.T) {
	t.Parallel()
	primary, err := lab.StartPostgres(lab.PostgresOptions{})
	lab.Require(t, err)
	w := newWorldAt(t, lab.Cluster(t).ListenAddrs()[0], primary.Database(t), 2)
	standby, err := primary.Standby()
	lab.Require(t, err)
	e, proxy := w.proxied("SINKD_BATCH_MAX_RECORDS", "200")
	s := start(t, e)
	s.ready(30 * time.Second)
	stop := w.feed(50, 2)
	w.advance(500)
	try(t, standby.CatchUp(primary))
	try(t, standby.Detach())
	w.advance(1000)
	proxy.Refuse()
	proxy.CutAll()
	ahead := w.moved()
	try(t, primary.Restart("immediate")) // the old backends are gone for good
	try(t, standby.Promote())
	w.disconnect()
	w.url = strings.Replace(w.url, primary.Addr(), standby.Addr(), 1)
	if back := w.moved(); back >= ahead {
		t.Fatalf("the positions did not go back: %d of %d", back, ahead)
	}
	try(t, proxy.SetTarget(standby.Addr()))
	try(t, proxy.Accept())
	w.advance(ahead - w.moved() + 500)
	stop()
	w.complete()
	if n := s.metric("sinkd_retries_total", `class="fenced"`); n == 0 {
		t.Error("no batch was fenced by the position that went back")
	}
	if n := s.metric("sinkd_rewinds_total"); n < 1 || n > 2 {
		t.Errorf("%v of 2 positions are counted as gone back", n)
	}
}

func try(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
