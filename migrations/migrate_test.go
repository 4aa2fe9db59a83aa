package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/sinkd/sinkd/integration/lab"
	"github.com/sinkd/sinkd/migrations"
)

func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// shape lists tables and views of a schema with their columns.
func shape(t *testing.T, conn *pgx.Conn, schema string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT table_name || '.' || column_name || ' ' || data_type
		FROM information_schema.columns WHERE table_schema = $1 ORDER BY table_name, ordinal_position`, schema)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUpIsRepeatable(t *testing.T) {
	t.Parallel()
	url := lab.Database(t)
	const schema = `odd "name"`
	for range 2 {
		if err := migrations.Up(t.Context(), url, schema); err != nil {
			t.Fatal(err)
		}
	}
	v, err := migrations.Status(t.Context(), url, schema)
	if err != nil || v.Current != migrations.Latest() || v.Dirty {
		t.Fatalf("%+v, %v", v, err)
	}
	conn := connect(t, url)
	if got := shape(t, conn, "public"); len(got) > 0 {
		t.Errorf("made in public: %v", got)
	}
	exec(t, conn, `SELECT * FROM "odd ""name""".status`)
	exec(t, conn, `SELECT * FROM "odd ""name""".lag`)
}

func TestUpTenAtOnce(t *testing.T) {
	t.Parallel()
	url := lab.Database(t)
	var group errgroup.Group
	for range 10 {
		group.Go(func() error { return migrations.Up(t.Context(), url, "sinkd") })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestUpRepairsWhatWasCutOff(t *testing.T) {
	t.Parallel()
	for _, before := range []string{
		// killed before the migration's transaction
		`CREATE SCHEMA sinkd; CREATE TABLE sinkd.schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
		 INSERT INTO sinkd.schema_migrations VALUES (1, true)`,
		// killed before the version table had a row
		`CREATE SCHEMA sinkd; CREATE TABLE sinkd.schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)`,
		// killed after the schema
		`CREATE SCHEMA sinkd`,
	} {
		url := lab.Database(t)
		exec(t, connect(t, url), before)
		if err := migrations.Up(t.Context(), url, "sinkd"); err != nil {
			t.Errorf("%s: %v", before, err)
		}
	}
}

func TestUpRepairsAfterTheTransaction(t *testing.T) {
	t.Parallel()
	url := lab.Database(t)
	if err := migrations.Up(t.Context(), url, "sinkd"); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	exec(t, conn, `INSERT INTO sinkd.pipelines VALUES ('p', 'c', 'g')`)
	exec(t, conn, `UPDATE sinkd.schema_migrations SET dirty = true`)
	if err := migrations.Up(t.Context(), url, "sinkd"); err != nil {
		t.Fatal(err)
	}
	v, err := migrations.Status(t.Context(), url, "sinkd")
	if err != nil || v.Dirty {
		t.Errorf("%+v, %v", v, err)
	}
	var n int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM sinkd.pipelines`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d pipelines, %v", n, err)
	}
}

// A migration that is cut off by a lost connection is done by the next try.
func TestUpThroughACut(t *testing.T) {
	t.Parallel()
	direct := lab.Database(t)
	proxy, err := lab.StartProxy(direct)
	lab.Require(t, err)
	proxy.CutBefore("CREATE TABLE IF NOT EXISTS pipelines", 1)
	if err := migrations.Up(t.Context(), proxy.URL(direct), "sinkd"); err == nil {
		t.Fatal("the cut was not noticed")
	}
	v, err := migrations.Status(t.Context(), direct, "sinkd")
	if err != nil || !v.Dirty {
		t.Fatalf("%+v, %v", v, err)
	}
	if err := migrations.Up(t.Context(), proxy.URL(direct), "sinkd"); err != nil {
		t.Fatal(err)
	}
}

func TestUpRefusesAnOldBinary(t *testing.T) {
	t.Parallel()
	url := lab.Database(t)
	if err := migrations.Up(t.Context(), url, "sinkd"); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	// A newer release was here, and lets this one go on.
	exec(t, conn, `UPDATE sinkd.schema_migrations SET version = version + 1, dirty = true`)
	if err := migrations.Up(t.Context(), url, "sinkd"); err != nil {
		t.Errorf("a newer version that allows this binary: %v", err)
	}
	exec(t, conn, `UPDATE sinkd.compatibility SET min_schema = 99, min_binary = '9.9.0'`)
	err := migrations.Up(t.Context(), url, "sinkd")
	if old, ok := errors.AsType[*migrations.TooOldError](err); !ok || old.Needs != 99 || !strings.Contains(err.Error(), "9.9.0") {
		t.Errorf("got %v", err)
	}
}

func TestUpNamesTheGrants(t *testing.T) {
	t.Parallel()
	root := lab.Database(t)
	conn := connect(t, root)
	role := fmt.Sprintf("role_%d", time.Now().UnixNano())
	exec(t, conn, `CREATE ROLE `+role+` LOGIN PASSWORD 'x'`)
	t.Cleanup(func() {
		ctx := context.Background()
		_, _ = conn.Exec(ctx, `DROP OWNED BY `+role+`; DROP ROLE `+role)
	})
	u, err := url.Parse(root)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "x")
	// Each refusal names statements, and those bring it to the next one.
	want := []string{"CREATE SCHEMA", "GRANT USAGE, CREATE ON SCHEMA"}
	exec(t, conn, `CREATE SCHEMA other`)
	for i, schema := range []string{"sinkd", "other"} {
		err := migrations.Up(t.Context(), u.String(), schema)
		rights, ok := errors.AsType[*migrations.RightsError](err)
		if !ok || !strings.HasPrefix(rights.Grants[0], want[i]) {
			t.Fatalf("got %v, want %s", err, want[i])
		}
		for _, grant := range rights.Grants {
			exec(t, conn, grant)
		}
		if err := migrations.Up(t.Context(), u.String(), schema); err != nil {
			t.Errorf("after %v: %v", rights.Grants, err)
		}
	}
	// Tables that a DBA made, and no rights on them.
	exec(t, conn, migrations.Script("theirs"))
	rights, ok := errors.AsType[*migrations.RightsError](migrations.Up(t.Context(), u.String(), "theirs"))
	if !ok {
		t.Fatal("reading was allowed")
	}
	for _, grant := range rights.Grants {
		exec(t, conn, grant)
	}
	if err := migrations.Up(t.Context(), u.String(), "theirs"); err != nil {
		t.Errorf("after %v: %v", rights.Grants, err)
	}
}

func TestScriptMakesTheSameTables(t *testing.T) {
	t.Parallel()
	url := lab.Database(t)
	conn := connect(t, url)
	for range 2 {
		exec(t, conn, migrations.Script("printed"))
	}
	if err := migrations.Up(t.Context(), url, "printed"); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Up(t.Context(), url, "migrated"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(shape(t, conn, "migrated"), shape(t, conn, "printed")); diff != "" {
		t.Error(diff)
	}
}

func TestDownLeavesNothing(t *testing.T) {
	t.Parallel()
	url := lab.Database(t)
	for range 2 {
		if err := migrations.Up(t.Context(), url, "sinkd"); err != nil {
			t.Fatal(err)
		}
		if err := migrations.Down(t.Context(), url, "sinkd"); err != nil {
			t.Fatal(err)
		}
	}
	if got := shape(t, connect(t, url), "sinkd"); len(got) != 2 { // golang-migrate's own table
		t.Errorf("left: %v", got)
	}
}

// The start of run counts in the benchmark: nothing to do is one query.
func TestUpToDateIsFast(t *testing.T) {
	t.Parallel()
	url := lab.Database(t)
	if err := migrations.Up(t.Context(), url, "sinkd"); err != nil {
		t.Fatal(err)
	}
	best := time.Hour
	for range 5 {
		start := time.Now()
		if err := migrations.Up(t.Context(), url, "sinkd"); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(start))
	}
	if best > 100*time.Millisecond {
		t.Errorf("took %s", best)
	}
	t.Logf("up to date in %s", best)
}
