package integration_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sinkd/sinkd/integration/lab"
)

// control takes one guard of the protocol out of the source, by putting other
// text in the place of fragments, and names the test that has to fail then.
type control struct {
	guard string
	edits []edit
	// test is the one that fails, in the package of that name. Where it is one
	// of integration, the service is built without the guard.
	pkg, test string
	// says is what the failure has to say; "" = anything.
	says string
	// passes is a test that passes all the same; "" = none.
	passes string
}

// edit replaces a fragment that is in the file exactly once.
type edit struct{ file, old, new string }

// unresolved takes every unknown COMMIT for a failed one.
func unresolved() edit { return edit{"store/apply.go", "if l.unknown != nil {", "if false {"} }

// noOffset moves a position wherever it is.
func noOffset() edit { return edit{"store/lane.go", "   AND o.next_offset = r.from_offset\n", ""} }

// buried writes the dead letters in a step of its own, where the steps say so.
func buried(steps string) []edit {
	step := strings.ReplaceAll(steps, "bury", "func(ctx context.Context) error { _, err := t.exchange(ctx, t.bury(t.batch)...); return err }")
	return []edit{
		{"store/apply.go", "{t.begin, t.copy, t.finish}", step},
		{"store/finish.go", "counts := len(t.batch.Dead) > 0", "counts := false"},
	}
}

// controls are all guards that are taken out.
func controls() []control { return slices.Concat(fencing(), reading(), committing()) }

// fencing has the guards of position rows.
func fencing() []control {
	return []control{
		{
			guard: "offset compare",
			edits: []edit{noOffset()},
			pkg:   "store", test: "TestFencedByTheOffset",
		},
		{
			guard: "offset compare, at a failover",
			edits: []edit{noOffset()},
			pkg:   "integration", test: "TestStandbyPromotedWithoutTheLastCommits", says: "lost at",
		},
		{
			guard: "claim compare",
			edits: []edit{{"store/lane.go", "\n   AND o.claim = r.claim\n", "\n"}},
			pkg:   "store", test: "TestFencedByTheClaim",
		},
		{
			guard: "random token",
			edits: []edit{
				{"store/claim.go", "   SET claim = ` + freshToken + `\n  FROM free", "   SET claim = md5(o.claim::text)::uuid\n  FROM free"},
			},
			pkg: "store", test: "TestTokenIsNotMintedTwice",
		},
		{
			guard: "claim before read",
			edits: []edit{{
				"store/claim.go", "RETURNING o.topic, o.partition, o.claim, o.next_offset,",
				`RETURNING o.topic, o.partition, o.claim, (SELECT b.next_offset FROM {s}.offsets b
			WHERE b.pipeline = o.pipeline AND b.topic = o.topic AND b.partition = o.partition),`,
			}},
			pkg: "store", test: "TestClaimReadsWhatItHolds",
		},
		{
			guard: "halt compares the claim",
			edits: []edit{{"store/incident.go", "AND o.claim = $7\n", "AND $7::uuid IS NOT NULL\n"}},
			pkg:   "store", test: "TestHaltComparesClaimAndOffset",
		},
		{
			guard: "halt compares the offset",
			edits: []edit{{"store/incident.go", "AND o.next_offset = $8\n", "AND $8::bigint IS NOT NULL\n"}},
			pkg:   "store", test: "TestHaltComparesClaimAndOffset",
		},
		{
			guard: "a stalled blocker is ended",
			edits: []edit{{"store/claim.go", "stop := s.endBlockers(ctx, pidOf(tx.Conn().PgConn()))", "stop := func() {}"}},
			pkg:   "store", test: "TestClaimEndsStalledCopy",
		},
		{
			guard: "a healthy blocker is let be",
			edits: []edit{{"store/blocker.go", "       AND a.wait_event_type = 'Client'\n", ""}},
			pkg:   "store", test: "TestClaimLeavesHealthyWorkAlone",
		},
	}
}

// reading has the guards between Kafka and the batch.
func reading() []control {
	return []control{
		{
			guard: "queue of one claim",
			edits: []edit{
				{
					"stream/lane.go", "\tq := newQueue(ok, l)\n",
					`	c := ok.claim
		q := shared[c.Partition]
		if q == nil {
			q = newQueue(ok, l)
			shared[c.Partition] = q
		}
		q.claim, q.stint, q.taken, q.landed, q.closed, q.dropped = c, c, c.Next, c.Next, false, false
	`,
				},
				{"stream/lane.go", "// open gives the claim a new, empty queue in this lane.\n", "var shared = make(map[sinkd.Partition]*queue)\n\n"},
				{"stream/lane.go", "\tl.count(q, -q.records.Len(), -q.records.Size(q.records.Len()), -held)\n\tq.records = sinkd.Records{}\n", ""},
			},
			pkg: "integration", test: "TestQueueBelongsToOneClaim", says: "lost at",
		},
		{
			guard: "an answer is for the tail that was asked for",
			edits: []edit{{"stream/queue.go", "if q.dropped || q.tail != at {", "if q.dropped {"}},
			pkg:   "stream", test: "TestAnswerForAnotherTailIsDropped",
		},
		{
			guard: "aborted transactions are passed over",
			edits: []edit{{"stream/log_records.go", "s.data = !a.cover(s)", "s.data = true"}},
			pkg:   "integration", test: "TestTransactions", says: "phantom at",
		},
		{
			guard: "pinned start",
			edits: []edit{
				{"stream/check.go", "if pinned, ok := known[topic]; !ok || !covers(pinned, ws) {", "if pinned, ok := known[topic]; true || !ok || !covers(pinned, ws) {"},
				{"stream/check.go", "if known || f.late(topic) {", "if false {"},
				{"store/topic.go", "if tag.RowsAffected() == 0 {", "if tag.RowsAffected() < 0 {"},
				{"store/topic.go", "ON CONFLICT DO NOTHING RETURNING partition, next_offset", "ON CONFLICT (pipeline, topic, partition) DO UPDATE SET next_offset = excluded.next_offset RETURNING partition, next_offset"},
			},
			pkg: "integration", test: "TestStartIsPinned", says: "lost at",
		},
		{
			guard: "pinned start, the gate",
			edits: []edit{
				{"store/topic.go", "if tag.RowsAffected() == 0 {", "if tag.RowsAffected() < 0 {"},
				{"store/topic.go", "ON CONFLICT DO NOTHING RETURNING partition, next_offset", "ON CONFLICT (pipeline, topic, partition) DO UPDATE SET next_offset = excluded.next_offset RETURNING partition, next_offset"},
			},
			pkg: "store", test: "TestPinnedOnce",
		},
		{
			guard: "topic id at the claim",
			edits: []edit{{"stream/check.go", "case s.recreated():", "case false && s.recreated():"}},
			pkg:   "integration", test: "TestRecreatedTopicIsRefusedAtTheClaim", says: "phantom at",
		},
		{
			guard: "truncated log halts",
			edits: []edit{{"stream/truncated.go", "case end.EndOffset >= 0 && end.EndOffset < r.at:", "case false:"}},
			pkg:   "integration", test: "TestTruncatedLogHalts",
		},
	}
}

// committing has the guards around COMMIT.
func committing() []control {
	return []control{
		// The resolution spares a writer its fence, which only the metric shows. It
		// takes the offset compare and the ledger's key as well to double a batch.
		{
			guard: "unknown COMMIT resolved",
			edits: []edit{unresolved()},
			pkg:   "integration", test: "TestCutAfterCommit/metric", passes: "TestCutAfterCommit/exact",
		},
		{
			guard: "unknown COMMIT resolved, and offset compare",
			edits: []edit{unresolved(), noOffset()},
			pkg:   "integration", test: "TestCutAfterCommit/metric", passes: "TestCutAfterCommit/exact",
		},
		{
			guard: "unknown COMMIT resolved, offset compare, and ledger key",
			edits: []edit{unresolved(), noOffset(), {
				"store/lane.go", "AS r(topic, partition, generation, from_offset, until_offset, records, rows, skipped, dead, bytes, first, last)`",
				"AS r(topic, partition, generation, from_offset, until_offset, records, rows, skipped, dead, bytes, first, last) ON CONFLICT DO NOTHING`",
			}},
			pkg: "integration", test: "TestCutAfterCommit/exact", says: "doubled at",
		},
		{
			guard: "dead letters inside the transaction, not before",
			edits: buried("{bury, t.begin, t.copy, t.finish}"),
			pkg:   "store", test: "TestDeadLettersAreInTheTransaction",
		},
		{
			guard: "dead letters inside the transaction, not after",
			edits: buried("{t.begin, t.copy, t.finish, bury}"),
			pkg:   "integration", test: "TestCutAfterCommit/exact", says: "no dead letter for the bad record",
		},
	}
}

// TestNegativeControls takes out each guard and sees the named test fail,
// which passes with the guard in place.
func TestNegativeControls(t *testing.T) {
	if testing.Short() {
		t.Skip("the negative controls build the service anew for each guard")
	}
	t.Parallel()
	for _, c := range controls() {
		t.Run(c.guard, func(t *testing.T) {
			t.Parallel()
			overlay := c.overlay(t)
			out, err := c.run(t, overlay)
			if err == nil || !regexp.MustCompile(`(?m)^ *--- FAIL: `+c.test+` `).MatchString(out) {
				t.Fatalf("%s does not catch it (%v):\n%s", c.test, err, out)
			}
			if !strings.Contains(out, c.says) {
				t.Errorf("%s fails without a word of %q:\n%s", c.test, c.says, out)
			}
			if c.passes != "" && !strings.Contains(out, "--- PASS: "+c.passes+" ") {
				t.Errorf("%s does not pass:\n%s", c.passes, out)
			}
		})
	}
	for _, pkg := range []string{"store", "stream", "integration"} {
		t.Run("none, "+pkg, func(t *testing.T) {
			t.Parallel()
			all := control{pkg: pkg, test: "(" + strings.Join(testsOf(pkg), "|") + ")"}
			if out, err := all.run(t, ""); err != nil {
				t.Errorf("with all guards in place (%v):\n%s", err, out)
			}
		})
	}
}

// The essay of the protocol lists the controls.
func TestEssayNamesControls(t *testing.T) {
	t.Parallel()
	essay, err := os.ReadFile("../stream/doc.go")
	try(t, err)
	for _, c := range controls() {
		if !strings.Contains(string(essay), c.pkg+": "+c.test) {
			t.Errorf("stream/doc.go does not name %s: %s, the control of %s", c.pkg, c.test, c.guard)
		}
	}
}

// testsOf gives the tests of a package that controls name, without their parts.
func testsOf(pkg string) []string {
	var names []string
	for _, c := range controls() {
		if c.pkg == pkg {
			name, _, _ := strings.Cut(c.test, "/")
			names = append(names, name)
		}
	}
	return names
}

// overlay writes the sources without the guard, and gives the file that tells
// the go command to take them.
func (c *control) overlay(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	try(t, err)
	texts := make(map[string]string)
	for _, e := range c.edits {
		path := filepath.Join(root, e.file)
		if texts[path] == "" {
			b, err := os.ReadFile(path)
			try(t, err)
			texts[path] = string(b)
		}
		if n := strings.Count(texts[path], e.old); n != 1 {
			t.Fatalf("%s has %d times, want once: %s", e.file, n, e.old)
		}
		texts[path] = strings.Replace(texts[path], e.old, e.new, 1)
	}
	dir := t.TempDir()
	replace := make(map[string]string)
	for path, text := range texts {
		replace[path] = filepath.Join(dir, filepath.Base(path))
		try(t, os.WriteFile(replace[path], []byte(text), 0o644))
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	try(t, err)
	file := filepath.Join(dir, "overlay.json")
	try(t, os.WriteFile(file, b, 0o644))
	return file
}

// run runs the test with the overlay, none if that is "".
func (c *control) run(t *testing.T, overlay string) (string, error) {
	t.Helper()
	top, _, _ := strings.Cut(c.test, "/")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-vet=off", "-overlay="+overlay, "-run=^"+top+"$", "../"+c.pkg)
	if c.pkg == "integration" {
		service, err := lab.Build("github.com/sinkd/sinkd/cmd/sinkd", "-overlay="+overlay)
		try(t, err)
		self, err := os.Executable()
		try(t, err)
		cmd = exec.CommandContext(t.Context(), self, "-test.count=1", "-test.v", "-test.run=^"+top+"$")
		cmd.Env = append(os.Environ(), "LAB_SINKD="+service)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}
