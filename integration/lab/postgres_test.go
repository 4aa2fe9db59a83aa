package lab_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd/integration/lab"
)

func TestPostgresVersions(t *testing.T) {
	for _, version := range []string{"14", "15", "16", "17", "18"} {
		t.Run(version, func(t *testing.T) {
			p, err := lab.StartPostgres(lab.PostgresOptions{Version: version})
			lab.Require(t, err)
			if got := scalar(t, p.URL(), "SHOW server_version"); !strings.HasPrefix(got, version+".") {
				t.Errorf("server_version %s", got)
			}
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// scalar asks for one value as text.
func scalar(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var s string
	if err := conn.QueryRow(t.Context(), sql).Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStandbyLosesTheLastCommits(t *testing.T) {
	t.Parallel()
	p, err := lab.StartPostgres(lab.PostgresOptions{Settings: map[string]string{"log_min_messages": "log"}})
	lab.Require(t, err)
	s, err := p.Standby()
	lab.Require(t, err)
	must(t, p.Exec("CREATE TABLE t AS SELECT 1"))
	must(t, s.CatchUp(p))
	must(t, s.Detach())
	must(t, p.Exec("INSERT INTO t VALUES (2)"))
	if err := s.Exec("INSERT INTO t VALUES (3)"); err == nil {
		t.Error("a standby takes writes")
	}
	must(t, p.Kill())
	must(t, s.Promote())
	must(t, s.Exec("INSERT INTO t VALUES (4)"))
	if got := scalar(t, s.URL(), "SELECT string_agg(t::text, ' ') FROM t"); got != "(1) (4)" {
		t.Errorf("rows %s, want (1) (4)", got)
	}
}

func TestPostgresRestarts(t *testing.T) {
	t.Parallel()
	p, err := lab.StartPostgres(lab.PostgresOptions{})
	lab.Require(t, err)
	url := p.URL()
	must(t, p.Exec("CREATE TABLE t ()"))
	must(t, p.Restart("fast"))
	must(t, p.Restart("immediate"))
	if err := p.Restart("slow"); err == nil {
		t.Error("an unknown mode is taken")
	}
	must(t, p.Kill())
	must(t, p.Start())
	must(t, p.Stop())
	if _, err := pgx.Connect(t.Context(), url); err == nil {
		t.Error("a stopped server takes connections")
	}
	must(t, p.Start())
	if got := scalar(t, url, "SELECT count(*)::text FROM t"); got != "0" {
		t.Error(got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
