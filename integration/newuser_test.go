package integration_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd/integration/lab"
)

// TestThreeVariables gives brokers, a topic and a database, and nothing else
// (but an address that is free, for the probes).
func TestThreeVariables(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.produce(300, 2)
	path, err := binary()
	try(t, err)
	p, err := lab.StartProcess(lab.ProcessOptions{Path: path, Args: []string{"run"}, Env: []string{
		"SINKD_KAFKA_BROKERS=" + w.brokers, "SINKD_TOPICS=" + w.topic, "SINKD_DATABASE_URL=" + w.url,
		"SINKD_HTTP_ADDR=" + freeAddr(t),
	}})
	try(t, err)
	t.Cleanup(func() { _ = p.Kill() })
	eventually(t, 30*time.Second, "the records are not in the table of the topic's name", func() error {
		n, err := ask[int64](w, `SELECT count(DISTINCT (kafka_partition, kafka_offset, value->>'id')) FROM `+
			pgx.Identifier{w.topic}.Sanitize())
		if err == nil && n[0] != 300 {
			err = fmt.Errorf("%d of 300 records; %s", n[0], p.Tail())
		}
		return err
	})
}

// mistake is something that a new user gets wrong.
type mistake struct {
	name string
	// make makes the mistake, in the world or in the environment.
	make func(w *world, e env)
	// check is the exit code of check, says what its one complaint has to hold.
	check int
	says  []string
	// status is what the running service says is the matter.
	status string
	// mend undoes the mistake, restart tells that the service takes that up at
	// its next start only. A mistake in the environment stays with the process.
	mend    func(w *world)
	restart bool
}

var mistakes = []mistake{
	{
		name: "wrong broker", check: 3, says: []string{"no broker can be reached", "SINKD_KAFKA_BROKERS"},
		status: "kafka: retrying",
		make:   func(w *world, e env) { e["SINKD_KAFKA_BROKERS"] = freeAddr(w.t) },
	},
	{
		name: "wrong password", check: 3, says: []string{"refuses the login", "SINKD_DATABASE_URL"},
		status: "refuses the login",
		make: func(w *world, e env) {
			e["SINKD_DATABASE_URL"] = w.clerk("right")
			e["SINKD_DATABASE_URL"] = strings.Replace(e["SINKD_DATABASE_URL"], ":right@", ":wrong@", 1)
			w.exec(`GRANT INSERT ON events TO ` + w.role())
		},
		mend: func(w *world) { w.exec(`ALTER ROLE ` + w.role() + ` PASSWORD 'wrong'`) },
	},
	{
		name: "missing right", check: 1, says: []string{"no right to insert", `GRANT INSERT ON "public"."events"`},
		status: "sinkd incidents list",
		make:   func(w *world, e env) { e["SINKD_DATABASE_URL"] = w.clerk("pw") },
		mend:   func(w *world) { w.exec(`GRANT INSERT ON events TO ` + w.role()) }, restart: true,
	},
	{
		name: "missing table", check: 1, says: []string{"does not exist", "did you mean public.events?"},
		status: "sinkd incidents list",
		make:   func(_ *world, e env) { e["SINKD_TABLE"] = "event" },
		mend:   func(w *world) { w.exec(`ALTER TABLE events RENAME TO event`) }, restart: true,
	},
	{
		name: "missing topic", check: 1, says: []string{"does not exist", "SINKD_TOPICS"},
		status: "no partitions are assigned",
		make: func(w *world, e env) {
			w.topic += "_new"
			e["SINKD_TOPICS"] = w.topic
		},
		mend: func(w *world) {
			_, err := w.admin().CreateTopic(w.t.Context(), 2, 1, nil, w.topic)
			try(w.t, err)
			w.t.Cleanup(func() { _, _ = w.admin().DeleteTopics(context.WithoutCancel(w.t.Context()), w.topic) })
			w.connect()
			w.produce(100, 2)
		},
	},
}

// role names a role that belongs to the world's database.
func (w *world) role() string {
	u, err := url.Parse(w.url)
	try(w.t, err)
	return strings.TrimPrefix(u.Path, "/") + "_clerk"
}

// clerk makes a role that may do all that the service needs, but to insert into
// the table, and gives its URL.
func (w *world) clerk(password string) string {
	w.t.Helper()
	u, err := url.Parse(w.url)
	try(w.t, err)
	w.exec(fmt.Sprintf(`CREATE ROLE %[1]s LOGIN PASSWORD '%[2]s';
		GRANT CREATE, TEMPORARY ON DATABASE %[3]s TO %[1]s; GRANT SELECT ON events TO %[1]s`,
		w.role(), password, strings.TrimPrefix(u.Path, "/")))
	w.t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), w.url)
		try(w.t, err)
		defer conn.Close(context.Background())
		_, err = conn.Exec(context.Background(), `DROP OWNED BY `+w.role()+` CASCADE; DROP ROLE `+w.role())
		try(w.t, err)
	})
	u.User = url.UserPassword(w.role(), password)
	return u.String()
}

// TestMistakes makes each mistake: check says what it is, once, and how to mend
// it; run does not exit, says why it does nothing, and works when it is mended.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2)
			if m.name != "missing topic" {
				w.produce(100, 2)
			}
			e := w.env()
			m.make(w, e)
			w.complains(e, m.check, m.says...)

			s := start(t, e)
			eventually(t, 30*time.Second, "the service does not say what is the matter", func() error { return s.says(m.status) })
			if m.mend == nil {
				return
			}
			m.mend(w)
			if m.restart {
				if code := s.term(20 * time.Second); code != 0 {
					t.Errorf("exit code %d after SIGTERM", code)
				}
				s = start(t, e)
			}
			s.ready(60 * time.Second)
			ends := w.ends()
			eventually(t, 30*time.Second, "nothing lands after the mistake was mended", func() error { return w.reached(ends) })
			w.wantIncidents(0)
		})
	}
}

// complains runs check, which has to find one thing, and to say all of that.
func (w *world) complains(e env, code int, says ...string) {
	w.t.Helper()
	got, out := w.command(e, "check")
	if got != code {
		w.t.Errorf("check: exit code %d, want %d", got, code)
	}
	if fails := strings.Count(out, "FAIL"); fails != 1 {
		w.t.Errorf("check complains %d times, want one:\n%s", fails, out)
	}
	for _, text := range says {
		if !strings.Contains(out, text) {
			w.t.Errorf("check does not say %q:\n%s", text, out)
		}
	}
}

// says tells whether the service runs, is not ready, and gives a reason that
// holds the text.
func (s *service) says(text string) error {
	if err := s.alive(); err != nil {
		return err
	}
	status := s.status()
	if ready, _ := status["ready"].(bool); ready {
		return fmt.Errorf("it is ready")
	}
	if reason := fmt.Sprint(status["reason"]); !strings.Contains(reason, text) {
		return fmt.Errorf("it says %q, not %q", reason, text)
	}
	return nil
}

// TestNoRightToKeepBooks has a role that may not make the bookkeeping tables:
// no waiting helps, and the statement that does is printed.
func TestNoRightToKeepBooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	e := w.env().with("SINKD_DATABASE_URL", w.clerk("pw"))
	database := strings.TrimSuffix(w.role(), "_clerk")
	w.exec(`GRANT INSERT ON events TO ` + w.role() + `; REVOKE CREATE ON DATABASE ` + database + ` FROM ` + w.role())
	w.complains(e, 1, `GRANT CREATE ON DATABASE "`+database+`" TO "`+w.role()+`"`)
	fix := `CREATE SCHEMA "sinkd" AUTHORIZATION "` + w.role() + `";`
	if code, out := w.command(e, "run"); code != 1 || !strings.Contains(out, fix) {
		t.Errorf("run: exit code %d, want 1, with %s:\n%s", code, fix, out)
	}
	w.exec(fix)
	w.produce(10, 1)
	if code, out := w.command(e, "run", "--until-caught-up"); code != 0 {
		t.Fatalf("run after what it asked for: exit code %d\n%s", code, out)
	}
	w.exact()
}

// TestUselessConfiguration has what cannot be used whatever the world is like:
// exit code 2, at once, all of it, by name, and no secret.
func TestUselessConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	e := w.env().with("SINKD_TOPIC", "orders", "SINKD_DATABASE_URL", "postgres://me:hush%zz@host/db", "SINKD_LANES", "many")
	delete(e, "SINKD_KAFKA_BROKERS")
	for _, command := range []string{"run", "check"} {
		code, out := w.command(e, command)
		if code != 2 {
			t.Errorf("%s: exit code %d, want 2", command, code)
		}
		for _, text := range []string{"SINKD_KAFKA_BROKERS", "SINKD_TOPIC:", "did you mean SINKD_TOPICS?", "SINKD_DATABASE_URL", "SINKD_LANES"} {
			if !strings.Contains(out, text) {
				t.Errorf("%s does not name %s:\n%s", command, text, out)
			}
		}
		if strings.Contains(out, "hush") {
			t.Errorf("%s shows a part of the password:\n%s", command, out)
		}
	}
}
