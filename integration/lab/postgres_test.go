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
