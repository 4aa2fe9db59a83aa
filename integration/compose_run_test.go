package integration_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd/integration/lab"
)

// composed is the stack of docker-compose.yml as processes: the same commands
// with the same variables, where only the addresses are others.
type composed struct {
	t    *testing.T
	file composeFile
	swap *strings.Replacer
	url  string
}

func newComposed(t *testing.T) *composed {
	t.Helper()
	url := lab.Database(t)
	return &composed{t: t, file: loadCompose(t), url: url, swap: strings.NewReplacer(
		"kafka:29092", lab.Cluster(t).ListenAddrs()[0],
		"postgres://sinkd:sinkd@postgres:5432/sinkd", url)}
}

// env is the environment of a service.
func (c *composed) env(name string) env {
	e := env{}
	for variable, value := range c.file.Services[name].Environment {
		e[variable] = c.swap.Replace(value)
	}
	return e
}

// replica starts one of the services called sinkd, on a port of its own.
func (c *composed) replica() (*service, env) {
	c.t.Helper()
	_, port, _ := strings.Cut(freeAddr(c.t), ":")
	e := c.env("sinkd").with("SINKD_HTTP_ADDR", ":"+port)
	s := start(c.t, e, c.file.Services["sinkd"].Command...)
	s.addr = "127.0.0.1:" + port
	return s, e
}

// orders starts the source, with more flags than the stack gives it.
func (c *composed) orders(more ...string) {
	c.t.Helper()
	path := filepath.Join(c.t.TempDir(), "orders")
	out, err := exec.CommandContext(c.t.Context(), "go", "build", "-o", path, "./orders").CombinedOutput()
	if err != nil {
		c.t.Fatalf("build orders: %v\n%s", err, out)
	}
	args := strings.Split(c.swap.Replace(strings.Join(c.file.Services["orders"].Command, "\n")), "\n")
	args = append(args, more...)
	p, err := lab.StartProcess(lab.ProcessOptions{Path: path, Args: args})
	try(c.t, err)
	c.t.Cleanup(func() { _ = p.Kill() })
}

// count gives the rows of the table that sinkd makes.
func (c *composed) count() (n int64, err error) {
	ctx := context.WithoutCancel(c.t.Context())
	conn, err := pgx.Connect(ctx, c.url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, `SELECT count(*) FROM orders`).Scan(&n)
	return n, err
}

// beyond waits for more rows than that, and gives how many there are.
func (c *composed) beyond(floor int64) (n int64) {
	c.t.Helper()
	eventually(c.t, time.Minute, "no orders arrive", func() (err error) {
		if n, err = c.count(); err == nil && n <= floor {
			err = fmt.Errorf("%d rows", n)
		}
		return err
	})
	return n
}

// TestComposeProcesses goes through what the head of the compose file and
// docs/operating.md show: up, healthy, both replicas killed, up again, verified.
func TestComposeProcesses(t *testing.T) {
	t.Parallel()
	c := newComposed(t)
	if code := start(t, c.env("migrate"), c.file.Services["migrate"].Command...).exit(time.Minute); code != 0 {
		t.Fatalf("migrate: exit code %d", code)
	}
	c.orders()
	a, e := c.replica()
	b, _ := c.replica()
	for _, s := range []*service{a, b} {
		s.ready(30 * time.Second)
	}
	if code := start(t, e, "status", "--ready").exit(30 * time.Second); code != 0 {
		t.Errorf("status --ready: exit code %d", code)
	}
	n := c.beyond(20)
	try(t, a.Kill())
	try(t, b.Kill())
	if code := start(t, e, "status", "--ready").exit(30 * time.Second); code == 0 {
		t.Error("status --ready: exit code 0, and nothing runs")
	}
	a, e = c.replica()
	a.ready(time.Minute)
	c.beyond(n + 20)
	verify := start(t, e, "verify", "--deep")
	if code := verify.exit(time.Minute); code != 0 {
		t.Errorf("verify --deep: exit code %d\n%s", code, verify.Output())
	}
	if out := string(verify.Output()); !strings.Contains(out, "0 lost, 0 doubled") {
		t.Errorf("verify --deep says\n%s", out)
	}
}
