package store_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd/store"
)

// person opens a connection of somebody else, who runs statements in a
// transaction that stays open.
func (f *fixture) person(statements ...string) (pid int32, end func()) {
	f.Helper()
	conn, err := pgx.Connect(f.Context(), f.url)
	f.must(err)
	f.Cleanup(func() { _ = conn.Close(context.Background()) })
	for _, sql := range append([]string{`SET application_name = 'a person'`, `BEGIN`}, statements...) {
		_, err := conn.Exec(f.Context(), sql)
		f.must(err)
	}
	return int32(conn.PgConn().PID()), func() {
		_, err := conn.Exec(f.Context(), `ROLLBACK`)
		f.must(err)
	}
}

// TestLocks follows from another machine who keeps a lane waiting, to the one
// whom the blocker waits for itself.
func TestLocks(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	claim := f.claim(s)
	root, endRoot := f.person(`LOCK TABLE target IN ROW EXCLUSIVE MODE`)
	waiter, err := pgx.Connect(f.Context(), f.url)
	f.must(err)
	f.Cleanup(func() { _ = waiter.Close(context.Background()) })
	waited := make(chan error, 1)
	go func() { _, err := waiter.Exec(f.Context(), `TRUNCATE target`); waited <- err }()
	f.until(`SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	done := make(chan error, 1)
	go func() { done <- s.Apply(t.Context(), 0, f.batch(from(claim, 0, 3))) }()
	f.until(`SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)

	l, err := f.open().Locks(f.Context())
	f.must(err)
	middle := int32(waiter.PgConn().PID())
	at := slices.IndexFunc(l.Sessions, func(r store.SessionRow) bool { return len(r.PIDs) > 0 })
	if at < 0 || !slices.Contains(l.Sessions[at].PIDs, middle) || l.Sessions[at].State != "active" || l.Sessions[at].Command != "COPY" {
		t.Fatalf("%+v", l.Sessions)
	}
	if len(l.Blockers) != 2 || l.Blockers[0].PID != root || l.Blockers[1].PID != middle || l.Hint != "" {
		t.Fatalf("%+v", l)
	}
	b := l.Blockers[0]
	if b.State != "idle in transaction" || b.Application != "a person" || b.User != "postgres" || b.Since == nil || b.Sinkd ||
		b.End != fmt.Sprintf("SELECT pg_terminate_backend(%d)", root) {
		t.Errorf("%+v", b)
	}
	if !slices.Contains(l.Blockers[1].PIDs, root) || l.Blockers[1].Waits != "Lock relation" {
		t.Errorf("%+v", l.Blockers[1])
	}
	endRoot()
	f.must(<-waited)
	f.must(<-done)
}

// A session of sinkd that blocks another one is not offered to be ended, and
// what a role may not see is said.
func TestLocksOfAnotherRole(t *testing.T) {
	f := setup(t)
	as, name := f.role()
	f.exec(`GRANT INSERT, UPDATE ON target TO ` + name)
	_, _ = f.person(`SET LOCAL application_name = 'sinkd/p/0badcafe'`, `LOCK TABLE target`)
	u, err := url.Parse(as.url)
	f.must(err)
	q := u.Query()
	q.Set("application_name", "sinkd/p/00000001")
	u.RawQuery = q.Encode()
	waiter, err := pgx.Connect(f.Context(), u.String())
	f.must(err)
	f.Cleanup(func() { _ = waiter.Close(context.Background()) })
	ctx, cancel := context.WithCancel(f.Context())
	waited := make(chan struct{})
	go func() { defer close(waited); _, _ = waiter.Exec(ctx, `INSERT INTO target VALUES (1)`) }()
	defer func() { cancel(); <-waited }()
	f.until(`SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	l, err := as.open().Locks(f.Context())
	f.must(err)
	if len(l.Blockers) != 1 || !l.Blockers[0].Sinkd || l.Blockers[0].End != "" || l.Blockers[0].State != "" {
		t.Errorf("%+v", l.Blockers)
	}
	if want := `GRANT pg_read_all_stats TO "` + name + `";`; l.Hint != want {
		t.Fatalf("hint %q", l.Hint)
	}
	f.exec(l.Hint)
	if l, err = as.open().Locks(f.Context()); err != nil || l.Hint != "" || l.Blockers[0].State != "idle in transaction" {
		t.Errorf("%+v, %v", l, err)
	}
}
