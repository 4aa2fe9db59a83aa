package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// passing are conditions that go away: while they last the service says so and is
// not ready, and afterwards all has landed and nothing is dead.
var passing = []struct {
	name string
	// begin and end are SQL; hold is run in a transaction that lasts; kill tells
	// that the service has to connect anew to notice.
	begin, hold, end string
	kill             bool
	// says is in the reason that the service gives.
	says string
	// whole tells that the service comes through while it lasts; long, that it
	// lasts longer than the service takes to look at other things.
	whole, long bool
}{
	{name: "lock timeout", hold: `LOCK TABLE events`, says: "55P03"},
	{name: "disk full", begin: raising("53100"), end: `DROP TRIGGER trouble ON events`, says: "53100", long: true},
	{name: "temp_file_limit", begin: trouble(`PERFORM set_config('temp_file_limit', '64', true), set_config('work_mem', '64', true);
		PERFORM count(*) FROM (SELECT FROM generate_series(1, 100000) g ORDER BY -g) x`), end: `DROP TRIGGER trouble ON events`, says: "53400"},
	{name: "read-only", begin: `{alter} SET default_transaction_read_only = on`, kill: true, end: `SET transaction_read_only = off; {alter} RESET default_transaction_read_only`, says: "read-only"},
	{name: "too many connections", begin: `ALTER ROLE {role} CONNECTION LIMIT 0`, kill: true, end: `ALTER ROLE {role} CONNECTION LIMIT -1`, says: "53300"},
	{name: "no login", begin: `ALTER ROLE {role} NOLOGIN`, kill: true, end: `ALTER ROLE {role} LOGIN`, says: "28000"},
	{
		name: "statement timeout of a large batch", whole: true, end: `DROP TRIGGER trouble ON events`,
		begin: trouble(`IF NEW.id % 50 = 0 THEN PERFORM pg_sleep(0.4); END IF`),
	},
	{
		name: "session ended in each batch of many", whole: true, end: `DROP TRIGGER trouble ON events`,
		begin: trouble(`IF NEW.id % 50 = 0 AND nextval('sessions') < 3 THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); END IF`),
	},
}

func trouble(body string) string {
	return `CREATE OR REPLACE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN ` + body + `; RETURN NEW; END $$;
		CREATE TRIGGER trouble BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION trouble()`
}

func raising(state string) string { return trouble(`RAISE EXCEPTION USING ERRCODE = '` + state + `'`) }

// TestConditionsPass takes one service through all that passes.
func TestConditionsPass(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	w.exec(`CREATE SEQUENCE sessions`)
	e := w.env().with("SINKD_DATABASE_URL", w.clerk("pw"), "SINKD_LOCK_TIMEOUT", "100ms", "SINKD_STATEMENT_TIMEOUT", "1s", "SINKD_BATCH_INTERVAL", "20ms")
	w.exec(`GRANT ALL ON events TO ` + w.role())
	s := start(t, e)
	s.ready(30 * time.Second)
	for _, p := range passing {
		t.Run(p.name, func(t *testing.T) {
			tx := w.begin()
			if p.hold != "" {
				w.txExec(tx, p.hold)
			}
			if p.begin != "" {
				w.exec(w.filled(p.begin))
			}
			if p.kill {
				w.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '` + w.role() + `'`)
			}
			w.produce(200, 2)
			if !p.whole {
				eventually(t, 20*time.Second, "the service does not say what is the matter", func() error { return s.says(p.says) })
			}
			if p.long {
				throughout(t, 2500*time.Millisecond, "it is ready", s.unready)
			}
			try(t, tx.Rollback(t.Context()))
			if p.end != "" && !p.whole {
				w.exec(w.filled(p.end))
			}
			eventually(t, 30*time.Second, "not all of it has landed", w.behind)
			if p.whole {
				w.exec(w.filled(p.end))
			}
			s.ready(10 * time.Second)
			w.exact()
			w.wantIncidents(0)
		})
	}
}

// unready fails where the service says that it is ready.
func (s *service) unready() error {
	if ready, _ := s.status()["ready"].(bool); ready {
		return fmt.Errorf("ready")
	}
	return nil
}

// filled puts what names the database and the role into SQL.
func (w *world) filled(sql string) string {
	config, err := pgx.ParseConfig(w.url)
	try(w.t, err)
	return strings.NewReplacer(
		"{alter}", "ALTER DATABASE "+config.Database, "{role}", w.role()).Replace(sql)
}
