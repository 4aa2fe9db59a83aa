package integration_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd/integration/lab"
)

// blocks gives the shell commands of the README by the heading above them.
func blocks(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for section := range strings.SplitSeq(text(t, "README.md"), "\n## ") {
		heading, body, _ := strings.Cut(section, "\n")
		for _, m := range regexp.MustCompile("(?s)\n```sh\n(.*?)```").FindAllStringSubmatch(body, -1) {
			found[heading] += m[1]
		}
	}
	return found
}

// stubs stand in for what a test does not have. Each call is noted, an argument
// a line. What the compose stack is asked to do inside of a container is done
// with the database and the broker of the test; when the whole stack comes up,
// sinkd catches up once, in place of its replicas.
const stubs = `
set -eu
note() { printf '%s\n' "$@" '' >>calls; }
make() { note make "$@"; }
kubectl() { note kubectl "$@"; }
helm() { note helm "$@"; }
docker() {
	note docker "$@"
	case "$*" in
	"compose exec postgres psql -U sinkd "*) shift 6; psql "$STACK" "$@" ;;
	"compose exec sinkd /sinkd "*) shift 4; bin/sinkd "$@" ;;
	"compose up --build --wait" | "compose up --wait") bin/sinkd run --until-caught-up ;;
	esac
}
`

// shell runs commands of the README in a directory that has bin/sinkd, as a
// shell would that stops at the first failure. It gives what they printed, and
// the calls of stubs.
func shell(t *testing.T, commands string, e env) (out string, calls [][]string) {
	t.Helper()
	dir := t.TempDir()
	path, err := binary()
	try(t, err)
	try(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	try(t, os.Symlink(path, filepath.Join(dir, "bin", "sinkd")))
	cmd := exec.CommandContext(t.Context(), "sh", "-c", stubs+commands)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), e.with("SINKD_HTTP_ADDR", "off", "SINKD_LOG_FORMAT", "text").list()...)
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, commands, b)
	}
	noted, _ := os.ReadFile(filepath.Join(dir, "calls"))
	for call := range strings.SplitSeq(strings.TrimSuffix(string(noted), "\n\n"), "\n\n") {
		calls = append(calls, strings.Split(call, "\n"))
	}
	return string(b), calls
}

// requirePsql skips the test where there is no psql.
func requirePsql(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("psql"); err != nil {
		lab.Require(t, lab.Missing{Part: "psql", Fix: "apt-get install postgresql-client", Cause: err})
	}
}

// supply starts the source of orders, faster than that of the stack, and waits
// for the first of them.
func (c *composed) supply() {
	c.t.Helper()
	c.orders("-rate", "500")
	client, err := kgo.NewClient(kgo.SeedBrokers(c.swap.Replace("kafka:29092")))
	try(c.t, err)
	c.t.Cleanup(client.Close)
	eventually(c.t, 30*time.Second, "no orders are sent", func() error {
		ends, err := kadm.NewClient(client).ListEndOffsets(c.t.Context(), "orders")
		sent := int64(0)
		ends.Each(func(o kadm.ListedOffset) { sent += o.Offset })
		if err == nil && sent < 200 {
			err = fmt.Errorf("%d orders", sent)
		}
		return err
	})
}

// TestREADMEHasNoOtherCommands has each block of commands in one of the tests
// below.
func TestREADMEHasNoOtherCommands(t *testing.T) {
	t.Parallel()
	want := []string{"On Kubernetes", "See it", "Tests", "With Docker", "Your own topic into your own table"}
	if got := slices.Sorted(maps.Keys(blocks(t))); !slices.Equal(got, want) {
		t.Errorf("blocks of commands under %q, want %q", got, want)
	}
}

// TestREADMETargets has the targets of make that the README names; make ci runs
// them.
func TestREADMETargets(t *testing.T) {
	t.Parallel()
	file := text(t, "Makefile")
	for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z]+)").FindAllStringSubmatch(text(t, "README.md"), -1) {
		if !strings.Contains(file, "\n"+m[1]+":") {
			t.Errorf("the Makefile has no target %s", m[1])
		}
	}
}

// TestREADMEStack does what is shown under "With Docker".
func TestREADMEStack(t *testing.T) {
	t.Parallel()
	requirePsql(t)
	c := newComposed(t)
	c.supply()
	out, calls := shell(t, blocks(t)["With Docker"], c.env("sinkd").with("STACK", c.url))
	if !strings.Contains(out, "espresso") || !strings.Contains(out, "0 lost, 0 doubled") {
		t.Errorf("it prints\n%s", out)
	}
	c.exist(calls)
	if len(calls) < 5 {
		t.Errorf("%d commands", len(calls))
	}
}

// TestREADMEOwnTable does what is shown under "Your own topic into your own
// table", with a database and a broker in place of those of the stack.
func TestREADMEOwnTable(t *testing.T) {
	t.Parallel()
	requirePsql(t)
	c := newComposed(t)
	c.supply()
	const database, brokers = "postgres://sinkd:sinkd@localhost:5432/sinkd", "=localhost:9092\n"
	block := blocks(t)["Your own topic into your own table"]
	if strings.Count(block, database) != 1 || strings.Count(block, brokers) != 1 || strings.Count(block, "export SINKD_") != 3 {
		t.Fatalf("three variables, and the addresses of the stack, are not in\n%s", block)
	}
	block = strings.NewReplacer(database, c.url, brokers, "="+c.env("sinkd")["SINKD_KAFKA_BROKERS"]+"\n").Replace(block)
	out, calls := shell(t, block, env{})
	for _, want := range []string{"ok    table public.orders", "espresso", "pipeline default: ", "compared by coordinates", "0 lost, 0 doubled"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not print %q, but\n%s", want, out)
		}
	}
	c.exist(calls)
	for name, port := range map[string]string{"kafka": "127.0.0.1:9092:9092", "postgres": "127.0.0.1:5432:5432"} {
		if !slices.Contains(c.file.Services[name].Ports, port) {
			t.Errorf("%s is not at the port that the README says", name)
		}
	}
	if e := c.file.Services["postgres"].Environment; e["POSTGRES_USER"] != "sinkd" || e["POSTGRES_PASSWORD"] != "sinkd" {
		t.Error("the database has not the login that the README says")
	}
}

// TestDocumentedCompose has services, profiles and flags in the sentences of the
// documents and in the head of the compose file that exist.
func TestDocumentedCompose(t *testing.T) {
	t.Parallel()
	c := &composed{t: t, file: loadCompose(t)}
	pages, err := filepath.Glob("../docs/*.md")
	try(t, err)
	found := 0
	for _, page := range append(pages, "../README.md", "../docker-compose.yml") {
		b, err := os.ReadFile(page)
		try(t, err)
		for _, m := range regexp.MustCompile("(?m)(?:`|^#   )(docker compose [^`\n]*)").FindAllStringSubmatch(string(b), -1) {
			c.exist([][]string{strings.Fields(m[1])})
			found++
		}
	}
	if found < 4 {
		t.Errorf("%d commands", found)
	}
}

// exist looks at each call of docker compose: whether its services and profiles
// are in the file, and its flags those that are meant.
func (c *composed) exist(calls [][]string) {
	c.t.Helper()
	flags := map[string][]string{
		"up": {"--build", "--wait"}, "down": {"--volumes"}, "kill": {"-s", "KILL"}, "exec": nil, "build": nil, "logs": nil,
	}
	for _, call := range calls {
		if len(call) < 3 || call[0] != "docker" || call[1] != "compose" {
			continue
		}
		args := call[2:]
		if args[0] == "--profile" {
			if len(args) < 3 || !c.profile(args[1]) {
				c.t.Errorf("there is no profile of %q", call)
				continue
			}
			args = args[2:]
		}
		known, ok := flags[args[0]]
		rest := slices.DeleteFunc(slices.Clone(args[1:]), func(s string) bool { return slices.Contains(known, s) })
		if args[0] == "exec" {
			rest = rest[:1]
		}
		for _, name := range rest {
			if _, is := c.file.Services[name]; !is {
				ok = false
			}
		}
		if !ok {
			c.t.Errorf("%q has a service or a flag that does not exist", call)
		}
	}
}

func (c *composed) profile(name string) bool {
	for _, s := range c.file.Services {
		if slices.Contains(s.Profiles, name) {
			return true
		}
	}
	return false
}

// TestREADMEChart renders what is shown under "On Kubernetes".
func TestREADMEChart(t *testing.T) {
	t.Parallel()
	tool, err := filepath.Abs(helm(t))
	try(t, err)
	_, calls := shell(t, blocks(t)["On Kubernetes"], env{})
	secret, install := calls[0], calls[1]
	if len(calls) != 2 || !slices.Equal(secret[:4], []string{"kubectl", "create", "secret", "generic"}) || install[1] != "install" {
		t.Fatalf("calls %q", calls)
	}
	if !slices.Contains(install, "existingSecret="+secret[4]) || !strings.HasPrefix(secret[5], "--from-literal=SINKD_DATABASE_URL=") {
		t.Errorf("the chart does not take the secret of %q", secret)
	}
	cmd := exec.CommandContext(t.Context(), tool, append([]string{"template", "--kube-version", "1.33.0"}, install[2:]...)...)
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"image: registry.example.com/sinkd:", "SINKD_TOPICS: \"orders\"", "secretName: orders-db"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("there is no %s in\n%s", want, out)
		}
	}
}

// documents are the README and the pages below docs.
func documents(t *testing.T) []string {
	t.Helper()
	pages := []string{"../README.md"}
	for _, below := range []string{"../docs/*.md", "../docs/runbooks/*.md"} {
		found, err := filepath.Glob(below)
		try(t, err)
		pages = append(pages, found...)
	}
	return pages
}

// TestDocumentedQueries has PostgreSQL plan each query of the documents.
func TestDocumentedQueries(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 1)
	if code, out := w.command(w.env(), "migrate", "up"); code != 0 {
		t.Fatalf("migrate up: exit code %d\n%s", code, out)
	}
	w.exec(connectTable)
	found := 0
	for _, page := range documents(t) {
		b, err := os.ReadFile(page)
		try(t, err)
		for _, m := range regexp.MustCompile(`(?ms)^ {4,}((?:SELECT|DELETE|UPDATE) .*?;)$`).FindAllStringSubmatch(string(b), -1) {
			found++
			if _, err := ask[string](w, "EXPLAIN "+m[1]); err != nil {
				t.Errorf("%s: %v\n%s", page, err, m[1])
			}
		}
	}
	if found < 5 {
		t.Errorf("%d queries", found)
	}
}
