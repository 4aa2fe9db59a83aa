package lab_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd/integration/lab"
)

// bench is a table behind a proxy: direct is the URL past it.
type bench struct {
	*lab.Proxy
	direct string
}

func newBench(t *testing.T) bench {
	t.Helper()
	b := bench{direct: lab.Database(t)}
	var err error
	if b.Proxy, err = lab.StartProxy(b.direct); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	conn := b.connect(t, b.direct)
	if _, err := conn.Exec(t.Context(), "CREATE TABLE t (s text)").ReadAll(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b bench) connect(t *testing.T, url string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func (b bench) through(t *testing.T) *pgconn.PgConn {
	t.Helper()
	return b.connect(t, b.URL(b.direct+"&application_name=sinkd/a/1"))
}

func (b bench) rows(t *testing.T) string {
	t.Helper()
	return scalar(t, b.direct, "SELECT count(*)::text FROM t")
}

func wait(t *testing.T, f *lab.Fault) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := f.Wait(ctx); err != nil {
		t.Fatal("the fault did not strike: ", err)
	}
}

// copyRows copies n rows of 10 bytes.
func copyRows(ctx context.Context, c *pgconn.PgConn, n int) error {
	_, err := c.CopyFrom(ctx, strings.NewReader(strings.Repeat("123456789\n", n)), "COPY t FROM STDIN")
	return err
}

func TestProxyCutsInCopy(t *testing.T) {
	t.Parallel()
	for _, at := range []int64{0, 1, 70_000, 999_999} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			f := b.CutInCopy(at, 1)
			if err := copyRows(t.Context(), b.through(t), 100_000); err == nil {
				t.Error("the COPY succeeded")
			}
			wait(t, f)
			if got := b.rows(t); got != "0" {
				t.Errorf("%s rows, want none", got)
			}
		})
	}
	t.Run("too short", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.CutInCopy(1000, 1)
		conn := b.through(t)
		for range 3 {
			if err := copyRows(t.Context(), conn, 100); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.rows(t); got != "300" {
			t.Errorf("%s rows, want 300", got)
		}
	})
}

func TestProxyStallsAndReleases(t *testing.T) {
	t.Parallel()
	for name, arm := range map[string]func(bench) *lab.Fault{
		"copy":   func(b bench) *lab.Fault { return b.StallInCopy(123_456, 1) },
		"commit": func(b bench) *lab.Fault { return b.StallBeforeCommit(1) },
		"text":   func(b bench) *lab.Fault { return b.StallBefore("COPY t", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			f, conn, done := arm(b), b.through(t), make(chan error, 1)
			go func() { done <- copyAndCommit(t.Context(), conn) }()
			wait(t, f)
			b.awaitClientWait(t)
			select {
			case err := <-done:
				t.Fatalf("went on: %v", err)
			case <-time.After(100 * time.Millisecond):
			}
			f.Release()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if got := b.rows(t); got != "100000" {
				t.Errorf("%s rows", got)
			}
		})
	}
}

// awaitClientWait waits until the server waits for its client in the middle of
// a transaction.
func (b bench) awaitClientWait(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		got := scalar(t, b.direct, `SELECT count(*)::text FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'sinkd/a/1'
			AND wait_event_type = 'Client' AND state <> 'idle'`)
		if got == "1" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s backends wait for their client, want 1", got)
		}
	}
}

func copyAndCommit(ctx context.Context, c *pgconn.PgConn) error {
	if _, err := c.Exec(ctx, "BEGIN").ReadAll(); err != nil {
		return err
	}
	if err := copyRows(ctx, c, 100_000); err != nil {
		return err
	}
	_, err := c.Exec(ctx, "COMMIT").ReadAll()
	return err
}

func TestProxyStallHidesTheServersEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	f := b.StallBeforeCommit(1)
	conn, done := b.through(t), make(chan error, 1)
	go func() { done <- commits["simple"](t.Context(), conn) }()
	wait(t, f)
	scalar(t, b.direct, "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sinkd/a/1'")
	select {
	case err := <-done:
		t.Fatalf("the client was told: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	b.CutAll()
	if err := <-done; err == nil {
		t.Error("the commit was answered")
	}
}

func TestProxyMatches(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Match("sinkd/b/")
	b.MatchCopies()
	before := b.CutBeforeCommit(1)
	if err := commits["pipeline"](t.Context(), b.through(t)); err != nil {
		t.Errorf("another application: %v", err)
	}
	conn := b.connect(t, b.URL(b.direct+"&application_name=sinkd/b/1"))
	if err := commits["pipeline"](t.Context(), conn); err != nil {
		t.Errorf("without COPY: %v", err)
	}
	if _, err := conn.Exec(t.Context(), "BEGIN").ReadAll(); err != nil {
		t.Fatal(err)
	}
	if err := copyRows(t.Context(), conn, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "COMMIT").ReadAll(); err == nil {
		t.Error("the commit was answered")
	}
	wait(t, before)
	statement := b.CutBefore("SELECT 'x'", 1)
	conn = b.connect(t, b.URL(b.direct+"&application_name=sinkd/b/1"))
	if err := conn.ExecParams(t.Context(), "SELECT 'x'", nil, nil, nil, nil).Read().Err; err == nil {
		t.Error("the statement was answered")
	}
	wait(t, statement)
}

func TestProxyRefusesAndFreezes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	conn := b.through(t)
	b.Refuse()
	if _, err := pgconn.Connect(t.Context(), b.URL(b.direct)); err == nil {
		t.Error("a connection was taken")
	}
	if _, err := conn.Exec(t.Context(), "SELECT 1").ReadAll(); err != nil {
		t.Errorf("a connection that was there: %v", err)
	}
	b.CutAll()
	if _, err := conn.Exec(t.Context(), "SELECT 1").ReadAll(); err == nil {
		t.Error("a connection that was cut answers")
	}
	if err := b.Accept(); err != nil {
		t.Fatal(err)
	}
	conn = b.through(t)
	b.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := conn.Exec(ctx, "SELECT 1").ReadAll(); err == nil {
		t.Error("a frozen connection answers")
	}
	b.Thaw()
	b.Latency(20 * time.Millisecond)
	conn = b.through(t)
	begin := time.Now()
	if _, err := conn.Exec(t.Context(), "SELECT 1").ReadAll(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 40*time.Millisecond {
		t.Errorf("a round trip of %s", took)
	}
}

// TestProxyIsTransparent lets pgx do what it does, encryption asked for, and
// cancels a query through the proxy.
func TestProxyIsTransparent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	url := strings.Replace(b.URL(b.direct), "sslmode=disable", "sslmode=prefer", 1)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if n, err := conn.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"s"},
		pgx.CopyFromSlice(1000, func(i int) ([]any, error) { return []any{fmt.Sprint(i)}, nil })); n != 1000 || err != nil {
		t.Fatal(n, err)
	}
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM t WHERE s::int < $1", 500).Scan(&n); n != 500 || err != nil {
		t.Fatal(n, err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), "SELECT pg_sleep(60)")
		ended <- err
	}()
	for scalar(t, b.direct, "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()") == "0" {
		time.Sleep(10 * time.Millisecond)
	}
	if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "57014") {
		t.Errorf("not cancelled: %v", err)
	}
}
