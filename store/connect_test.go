package store_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
	"github.com/sinkd/sinkd/store"
)

func config(dsn string) store.Config {
	return store.Config{URL: func() (string, error) { return dsn, nil }, Schema: "sinkd", Pipeline: "p", Writer: "0123abcd", Lanes: 1}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	const good = "postgres://u:p@localhost/db"
	for name, change := range map[string]func(*store.Config){
		"pipeline": func(c *store.Config) { c.Pipeline = "Not ok" },
		"too long": func(c *store.Config) { c.Pipeline = strings.Repeat("a", 41) },
		"writer":   func(c *store.Config) { c.Writer = "x" },
		"schema":   func(c *store.Config) { c.Schema = "" },
		"lanes":    func(c *store.Config) { c.Lanes = 0 },
		"url":      func(c *store.Config) { c.URL = func() (string, error) { return "", errors.New("no file") } },
	} {
		cfg := config(good)
		change(&cfg)
		if _, err := store.Open(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := store.Open(config(good)); err != nil {
		t.Error(err)
	}
}

// However wrong the URL, its password is never repeated.
func TestOpenKeepsThePassword(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://u:hunter2/more@localhost/db", "postgres://u:hunter2%zz@localhost/db", "host=localhost password=hunter2 port=x",
		"postgres://u:hunter2@localhost:port/db", "hunter2", "password='hunter2",
		"postgres://u:hunter2@localhost/db?sslmode=odd", "postgres://u:hunter2@localhost/db?sslrootcert=/none&sslmode=verify-full",
	} {
		if _, err := store.Open(config(dsn)); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

func TestSessionsAreOurs(t *testing.T) {
	f := setup(t)
	f.exec(fmt.Sprintf(`ALTER DATABASE %s SET timezone = 'Asia/Tokyo'`, one[string](f, `SELECT current_database()`)))
	f.exec(`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		NEW.note = concat_ws(' ', current_setting('application_name'), current_setting('timezone'), current_setting('lock_timeout'),
		    current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout'), current_setting('search_path'));
		RETURN NEW; END $$; CREATE TRIGGER note BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION note()`)
	s := f.pinned(1, func(c *store.Config) { c.Writer = "0123abcd"; c.LockTimeout = 1500 * time.Millisecond })
	f.must(s.Connect(f.Context(), 0))
	f.must(s.Apply(f.Context(), 0, f.batch(from(f.claim(s), 0, 1))))
	if got := one[string](f, `SELECT note FROM target`); got != `sinkd/p/0123abcd UTC 1500ms 1min 10s "$user", public` {
		t.Errorf("session %s", got)
	}
}

func TestConnectErrorsAreTransient(t *testing.T) {
	f := setup(t)
	wrong, err := url.Parse(f.url)
	f.must(err)
	wrong.User = url.UserPassword("postgres", "hunter2")
	nowhere := *wrong
	nowhere.Path = "nowhere"
	away := *wrong
	away.Host = "127.0.0.1:1"
	for _, u := range []*url.URL{wrong, &nowhere, &away} {
		s := f.open(func(c *store.Config) { c.URL = func() (string, error) { return u.String(), nil } })
		_, err := s.Positions(f.Context())
		e := f.class(err, sinkd.Transient)
		f.class(s.Reach(f.Context()), sinkd.Transient)
		f.class(s.Connect(f.Context(), 0), sinkd.Transient)
		f.class(s.Apply(f.Context(), 0, f.batch(from(&sinkd.Claim{}, 0, 1))), sinkd.Transient)
		if strings.Contains(e.Error(), "hunter2") {
			t.Errorf("the password is in %q", e)
		}
		if findings := s.Check(f.Context()); len(findings) != 1 || findings[0].OK {
			t.Errorf("%+v", findings)
		}
	}
}

// A standby is passed over, wherever it stands among the hosts, and alone it
// is not good enough. A failover to one that lacks the last commits takes rows,
// ledger and position back together: the writer that goes on where it stood is
// fenced; one that claims anew fills the hole.
func TestFailoverTakesPositionsBack(t *testing.T) {
	t.Parallel()
	primary, err := lab.StartPostgres(lab.PostgresOptions{})
	lab.Require(t, err)
	f := setupOn(t, primary.Database(t))
	standby, err := primary.Standby()
	lab.Require(t, err)
	f.must(standby.CatchUp(primary))
	direct := f.url
	f.url = strings.Replace(direct, primary.Addr(), standby.Addr(), 1)
	_, err = f.open().Positions(f.Context())
	f.class(err, sinkd.Transient)
	f.url = strings.Replace(direct, primary.Addr(), standby.Addr()+","+primary.Addr(), 1)

	s := f.pinned(1)
	c := f.claim(s)
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 5))))
	f.must(standby.CatchUp(primary))
	f.must(standby.Detach())
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 5, 8))))
	f.must(primary.Kill())
	f.must(standby.Promote())
	f.reconnect()
	f.landed(5)
	f.must(f.retried(func() error { _, err := s.Topics(f.Context()); return err }))
	f.class(f.retried(func() error { return s.Apply(f.Context(), 0, f.batch(from(c, 8, 9))) }), sinkd.Fenced)
	next := f.claim(s)
	if next.Next != 5 {
		t.Fatalf("claimed at %d", next.Next)
	}
	f.must(s.Apply(f.Context(), 0, f.batch(from(next, 5, 9))))
	f.landed(9)
}
