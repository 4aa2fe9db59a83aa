package integration_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// login makes a role that may log in and nothing else, and gives its URL.
func (w *world) login(role string) string {
	w.t.Helper()
	u, err := url.Parse(w.url)
	try(w.t, err)
	w.exec(fmt.Sprintf(`CREATE ROLE %s LOGIN PASSWORD 'pw'`, role))
	w.t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), w.url)
		try(w.t, err)
		defer conn.Close(context.Background())
		_, err = conn.Exec(context.Background(), `DROP OWNED BY `+role+` CASCADE; DROP ROLE `+role)
		try(w.t, err)
	})
	u.User = url.UserPassword(role, "pw")
	return u.String()
}

// twoRoles gives the statements of docs/kubernetes.md: those of the owner, and
// those of the role that migrates.
func twoRoles(t *testing.T, names *strings.Replacer) (owner, migrator string) {
	t.Helper()
	_, section, _ := strings.Cut(text(t, "docs", "kubernetes.md"), "## Two roles")
	section, _, _ = strings.Cut(section, "\n## ")
	var sql strings.Builder
	for line := range strings.Lines(section) {
		if code, indented := strings.CutPrefix(line, "    "); indented {
			sql.WriteString(names.Replace(code))
		}
	}
	owner, migrator, both := strings.Cut(sql.String(), "-- as the role that migrates")
	if !both {
		t.Fatal("docs/kubernetes.md does not say which role grants what")
	}
	return owner, "--" + migrator
}

// TestTwoRoles has one role migrate and another one serve, with the grants that
// the document shows and no others.
func TestTwoRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	u, err := url.Parse(w.url)
	try(t, err)
	name := strings.TrimPrefix(u.Path, "/")
	migrating, serving := w.login(name+"_ddl"), w.login(name+"_dml")
	w.exec(`REVOKE ALL ON DATABASE ` + name + ` FROM PUBLIC; GRANT CONNECT, CREATE ON DATABASE ` + name + ` TO ` + name + `_ddl`)
	owner, migrator := twoRoles(t, strings.NewReplacer("sinkd_service", name+"_dml", "DATABASE app", "DATABASE "+name, "ON orders", "ON events"))
	w.exec(owner)
	conn, err := pgx.Connect(t.Context(), migrating)
	try(t, err)
	_, err = conn.Exec(t.Context(), migrator)
	try(t, err)
	try(t, conn.Close(t.Context()))

	for range 2 { // an install, an upgrade
		if code, out := w.command(env{"SINKD_DATABASE_URL": migrating}, "migrate", "up"); code != 0 {
			t.Fatalf("migrate up: exit code %d\n%s", code, out)
		}
	}
	e := w.env().with("SINKD_DATABASE_URL", serving)
	if code, out := w.command(e, "check"); code != 0 {
		t.Errorf("check: exit code %d\n%s", code, out)
	}
	w.produce(200, 2)
	w.produceBad([]string{`{"id": "x"}`}, 1)
	if code := start(t, e, "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("run: exit code %d", code)
	}
	w.exact()
}
