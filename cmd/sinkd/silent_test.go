package main

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSilent asks what takes connections and says nothing: each command gives
// up in time, and tells meanwhile what it waits for.
func TestSilent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // does not wait
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	env := []string{
		"SINKD_DATABASE_URL=postgres://u:hunter2@" + l.Addr().String() + "/app?sslmode=disable",
		"SINKD_KAFKA_BROKERS=" + l.Addr().String(), "SINKD_TOPICS=orders", "SINKD_HTTP_ADDR=off",
	}
	const waiting = "waiting for an answer ..."
	var asking sync.WaitGroup
	for _, test := range []struct {
		args, told string
		limit      time.Duration
	}{
		{"status", waiting, reach},
		{"status --locks", waiting, reach},
		{"pause", waiting, reach},
		{"resume", waiting, reach},
		{"offsets list", waiting, reach},
		{"offsets adopt", waiting, reach},
		{"offsets set --to earliest --yes", waiting, reach},
		{"dead-letters list", "reading dead letters ...", reach},
		{"dead-letters show orders 0 1", waiting, reach},
		{"dead-letters replay", "0 dead letters taken so far ...", reach},
		{"dead-letters discard --yes", "going through dead letters ...", reach},
		{"incidents list", waiting, reach},
		{"incidents ack 1", waiting, reach},
		{"verify", "going through the ledger ...", reach},
		{"migrate up", "bringing schema sinkd up to date", reach},
		{"migrate status", waiting, reach},
		{"migrate down --yes", "removing the tables of schema sinkd ...", reach},
		{"infer orders", "reading a sample of topic orders ...", reach},
		{"dry-run", waiting, reach},
		{"check", "asking the brokers ...", 2 * reach}, // one after the other
	} {
		asking.Go(func() {
			var out, errs strings.Builder
			began := time.Now()
			code := run(t.Context(), strings.Fields(test.args), env, &out, &errs)
			took := time.Since(began)
			if code != exitUnreachable || took > test.limit+5*time.Second || !strings.Contains(errs.String(), test.told) {
				t.Errorf("%s: exit code %d after %s\n%s%s", test.args, code, took, out.String(), errs.String())
			}
			if strings.Contains(out.String()+errs.String(), "hunter2") {
				t.Errorf("%s: the password is in %s%s", test.args, out.String(), errs.String())
			}
		})
	}
	asking.Wait()
}
