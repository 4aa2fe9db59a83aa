package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd/integration/lab"
)

// suite runs the tests with the lab's cleaning up.
type suite struct{ *testing.M }

func (s suite) Run() int { return lab.Run(s.M) }

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"sinkd": main})
}

// TestScripts runs the command lines of testdata/script, each with a database,
// a broker that knows the topics orders (4 partitions) and clicks, and a free
// address for HTTP.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(e *testscript.Env) error { return world(t, e) },
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "sql": sql, "produce": produce, "answers": answers,
			"topic": topic, "becomes": becomes, "psql": psql, "commits": commits,
			"holds": holds, "prints": prints, "pooler": pooler,
		},
	})
}

// world gives a script what it works with.
func world(t *testing.T, e *testscript.Env) error {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "orders"), kfake.SeedTopics(1, "clicks"),
		kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "ann", "right"), kfake.Superuser("PLAIN", "ann", "right"))
	if err != nil {
		return err
	}
	e.Defer(cluster.Close)
	open, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "orders"), kfake.SeedTopics(1, "clicks"))
	if err != nil {
		return err
	}
	e.Defer(open.Close)
	var real string
	stray, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "orders"), kfake.ListenFn(func(network, addr string) (net.Listener, error) {
		l, err := net.Listen(network, addr) //nolint:noctx // does not wait
		if err == nil {
			real, l = l.Addr().String(), stranger{l}
		}
		return l, err
	}))
	if err != nil {
		return err
	}
	e.Defer(stray.Close)
	addr, err := lab.FreeAddr()
	if err != nil {
		return err
	}
	database := lab.Database(t)
	u, err := url.Parse(database)
	if err != nil {
		return err
	}
	nowhere := *u
	nowhere.Path = "/no_such_database"
	e.Vars = append(e.Vars,
		"DATABASE="+database, "NO_DATABASE="+nowhere.String(), "DATABASE_HOST="+u.Host, "DATABASE_NAME="+strings.TrimPrefix(u.Path, "/"),
		"BROKERS="+open.ListenAddrs()[0], "SASL_BROKERS="+cluster.ListenAddrs()[0], "STRAY_BROKERS="+real,
		"SINKD_HTTP_ADDR="+addr,
	)
	return nil
}

// stranger is a listener that says it listens where nobody does, which a broker
// advertises then.
type stranger struct{ net.Listener }

// Addr is where nobody listens.
func (stranger) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// exits runs a command and checks its exit code: exits 2 sinkd run.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d in place of %s", code, args[0])
	}
}

// prints runs a command, which succeeds each time, or with ! fails, until a line
// of its output matches: what a process knows of itself is a moment behind the
// database.
func prints(ts *testscript.TestScript, neg bool, args []string) {
	line, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		if err := ts.Exec(args[1], args[2:]...); (err != nil) != neg {
			ts.Fatalf("%v: %v", args[1:], err)
		}
		if line.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not within a minute: %s", args[0])
		}
	}
}

// sql runs statements on the script's database as the superuser.
func sql(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, ts.Getenv("DATABASE"))
	ts.Check(err)
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range args {
		_, err := conn.Exec(ctx, statement)
		ts.Check(err)
	}
}

// holds runs statements in a transaction that stays open until the script ends.
func holds(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, ts.Getenv("DATABASE")+"&application_name=a%20person")
	ts.Check(err)
	ts.Defer(func() { _ = conn.Close(context.Background()) })
	for _, statement := range append([]string{"BEGIN"}, args...) {
		_, err := conn.Exec(ctx, statement)
		ts.Check(err)
	}
}

// condition tells whether a script can have a part; where CI=true it has to.
func condition(part string) (bool, error) {
	if part != "pgbouncer" {
		return false, fmt.Errorf("no part %s", part)
	}
	_, err := lab.FindPgBouncer()
	if err != nil {
		fmt.Fprintf(os.Stderr, "\n!!! SKIPPED where scripts need it: %v\n\n", err)
	}
	return err == nil || os.Getenv("CI") == "true", nil
}

// pooler puts PgBouncer in front of the script's database, and its URL into
// POOLED: pooler transaction [setting ...].
func pooler(ts *testscript.TestScript, _ bool, args []string) {
	b, err := lab.StartPgBouncer(ts.Getenv("DATABASE"), args[0], args[1:]...)
	ts.Check(err)
	ts.Defer(func() { _ = b.Kill() })
	ts.Setenv("POOLED", b.URL())
}

// psql runs a file of statements: psql orders.sql.
func psql(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		sql(ts, neg, []string{ts.ReadFile(name)})
	}
}

// becomes waits until a query answers true.
func becomes(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, ts.Getenv("DATABASE"))
	ts.Check(err)
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for {
		var yes bool
		ts.Check(conn.QueryRow(ctx, args[0]).Scan(&yes))
		if yes {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			ts.Fatalf("not within a minute: %s", args[0])
		}
	}
}

// topic makes a topic: topic orders 4.
func topic(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(ts.Getenv("BROKERS")))
	ts.Check(err)
	defer client.Close()
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	_, err = kadm.NewClient(client).CreateTopic(ctx, int32(n), 1, nil, args[0])
	ts.Check(err)
}

// commits lets a consumer group commit an offset: commits group orders 0 7.
func commits(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(ts.Getenv("BROKERS")))
	ts.Check(err)
	defer client.Close()
	partition, err := strconv.ParseInt(args[2], 10, 32)
	ts.Check(err)
	offset, err := strconv.ParseInt(args[3], 10, 64)
	ts.Check(err)
	offsets := make(kadm.Offsets)
	offsets.AddOffset(args[1], int32(partition), offset, -1)
	ts.Check(kadm.NewClient(client).CommitAllOffsets(ctx, args[0], offsets))
}

// produce writes n records to a topic, into one partition after the other where
// that is said: produce orders 100 [each].
func produce(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	options := []kgo.Opt{kgo.SeedBrokers(ts.Getenv("BROKERS")), kgo.DefaultProduceTopic(args[0])}
	if len(args) > 2 {
		options = append(options, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	}
	client, err := kgo.NewClient(options...)
	ts.Check(err)
	defer client.Close()
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	for i := range n {
		ts.Check(client.ProduceSync(ctx, kgo.StringRecord(fmt.Sprintf(`{"id": %d, "city": "Ulm"}`, i))).FirstErr())
	}
}

// answers waits until the service answers with a code: answers /readyz 200.
func answers(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	address := "http://" + ts.Getenv("SINKD_HTTP_ADDR") + args[0]
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: transport}
	got := "no answer"
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		ts.Check(err)
		if answer, err := client.Do(r); err == nil {
			_ = answer.Body.Close()
			if got = strconv.Itoa(answer.StatusCode); got == args[1] {
				return
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			ts.Fatalf("%s: %s in place of %s", address, got, args[1])
		}
	}
}
