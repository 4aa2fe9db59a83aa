package integration_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sinkd/sinkd/integration/lab"
)

// encoded gives the URL of a new database with an encoding, in which strings are
// read the old way as well.
func encoded(t *testing.T, encoding string) string {
	t.Helper()
	u, err := url.Parse(lab.Database(t))
	try(t, err)
	name := strings.TrimPrefix(u.Path, "/")
	try(t, lab.SharedPostgres(t).Exec("DROP DATABASE "+name))
	try(t, lab.SharedPostgres(t).Exec("CREATE DATABASE "+name+" TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING '"+encoding+"'"))
	try(t, lab.SharedPostgres(t).Exec("ALTER DATABASE "+name+" SET standard_conforming_strings = off"))
	return u.String()
}

// TestEncodings writes into databases that are not in UTF-8: what their encoding
// has arrives as it is, what it lacks is a dead letter.
func TestEncodings(t *testing.T) {
	t.Parallel()
	cluster := lab.Cluster(t, kfake.NumBrokers(1))
	for encoding, want := range map[string][]string{"LATIN1": {"4cc3b66666656c"}, "SQL_ASCII": {"4cc3b66666656c", "e282ac"}} {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			w := newWorldAt(t, cluster.ListenAddrs()[0], encoded(t, encoding), 1)
			w.mustSend(`{"id": 1, "name": "L\u00f6ffel"}`, `{"id": 2, "name": "\u20ac"}`)
			e := w.env()
			caughtUp(t, e)
			if names := query[string](w, `SELECT encode(convert_to(name, 'UTF8'), 'hex') FROM events ORDER BY id`); !slices.Equal(names, want) {
				t.Errorf("names %q in hex, want %q", names, want)
			}
			states := query[string](w, `SELECT sqlstate FROM sinkd.dead_letters`)
			if len(states) != 2-len(want) || len(states) > 0 && states[0] != "22P05" {
				t.Errorf("dead letters %q", states)
			}
			if code := start(t, e, "verify", "--deep").exit(time.Minute); code != 0 {
				t.Errorf("verify --deep: exit code %d", code)
			}
		})
	}
}
