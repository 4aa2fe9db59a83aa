package lab_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd/integration/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }

func TestDatabase(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), lab.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var name string
	if err := conn.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
}
