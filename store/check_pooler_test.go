package store_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd/integration/lab"
)

// A pooler is found out in whatever order it hands out the sessions that it
// keeps.
func TestCheckSessions(t *testing.T) {
	for _, test := range []struct {
		name, mode string
		settings   []string
		shared     bool
	}{
		{"the last one first", "transaction", nil, true},
		{"in turn", "transaction", []string{"server_round_robin = 1"}, true},
		{"for each statement", "statement", nil, true},
		{"kept apart", "session", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := setup(t)
			f.url = lab.Bouncer(t, f.url, test.mode, test.settings...)
			if test.mode != "statement" {
				f.pooled(3)
			}
			found, err := f.open().CheckSessions(f.Context())
			f.must(err)
			if found.Shared != test.shared || found.OK == test.shared || (found.Fix == "") == test.shared {
				t.Errorf("%+v", found)
			}
		})
	}
}

// pooled lets the pooler have n sessions that nobody uses.
func (f *fixture) pooled(n int) {
	f.Helper()
	var conns []*pgx.Conn
	for range n {
		conn, err := pgx.Connect(f.Context(), f.url)
		f.must(err)
		_, err = conn.Exec(f.Context(), "BEGIN")
		f.must(err)
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		_, err := conn.Exec(f.Context(), "ROLLBACK")
		f.must(err)
		f.must(conn.Close(context.Background()))
	}
}
