package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd/integration/lab"
)

// refused is a topic of a service with many, whose table refuses something: what
// lands, what becomes a dead letter, and whether it halts. In SQL {t} is the
// table, {r} the service's role.
type refused struct {
	name, ddl, mode string
	// bad is a record among the first that the table refuses for ever.
	bad string
	// change is done while the service runs, then records with more come.
	change, more string
	// halts is what the incident has to say, none = the topic goes on.
	halts []string
	mend  string
	// holds is a condition on the table in the end; fresh tells that it has only
	// what came after the change.
	holds string
	fresh bool
}

const wide = `CREATE TABLE {t} (k bigint PRIMARY KEY, a text, b bigint)`

// letter is a record that those tables refuse which look at a.
const letter = `{"k": 1000, "a": "secret"}`

var refusals = []refused{
	{name: "beacon", ddl: wide},
	{name: "check", ddl: `CREATE TABLE {t} (k bigint, a text CHECK (a <> 'secret'))`, bad: letter},
	{name: "check by statements", ddl: `CREATE TABLE {t} (k bigint PRIMARY KEY, a text CHECK (a <> 'secret'))`, mode: "upsert(k)", bad: letter},
	{name: "unique", ddl: `CREATE TABLE {t} (k bigint PRIMARY KEY, a text)`, bad: `{"k": 0, "a": "again"}`},
	{name: "unique at commit", ddl: `CREATE TABLE {t} (k bigint UNIQUE DEFERRABLE INITIALLY DEFERRED, a text)`, bad: `{"k": 0, "a": "again"}`},
	{
		name: "foreign key", bad: letter,
		ddl: `CREATE TABLE parents_{t} (a text PRIMARY KEY); INSERT INTO parents_{t} SELECT 'a' || n FROM generate_series(0, 99) n;
			CREATE TABLE {t} (k bigint, a text REFERENCES parents_{t})`,
	},
	{
		name: "trigger", bad: letter, ddl: `CREATE TABLE {t} (k bigint, a text);
			CREATE FUNCTION refuse_{t}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
			CREATE TRIGGER refuse BEFORE INSERT ON {t} FOR EACH ROW WHEN (NEW.a = 'secret') EXECUTE FUNCTION refuse_{t}()`,
	},
	{name: "exclusion", ddl: `CREATE TABLE {t} (k bigint, a text, EXCLUDE (k WITH =))`, bad: `{"k": 0, "a": "again"}`},
	{name: "column added", ddl: wide, change: `ALTER TABLE {t} ADD c int NOT NULL`, more: `, "c": 7`, holds: `count(*) FILTER (WHERE c = 7) = 20`, fresh: true, mode: "append"},
	{name: "column dropped", ddl: wide, change: `ALTER TABLE {t} DROP b`, holds: `count(a) = 40`},
	{name: "column dropped under statements", ddl: wide, mode: "upsert(k)", change: `ALTER TABLE {t} DROP b`, holds: `count(a) = 40`},
	{name: "type changed", ddl: wide, change: `ALTER TABLE {t} ALTER b TYPE double precision`, holds: `count(*) FILTER (WHERE b = k * 2) = 40`},
	{name: "type narrowed", ddl: wide, change: `ALTER TABLE {t} ALTER b TYPE int`, holds: `count(*) FILTER (WHERE b = k * 2) = 40`},
	{name: "text to jsonb", ddl: wide, change: `ALTER TABLE {t} ALTER a TYPE jsonb USING to_jsonb(a)`, holds: `count(*) FILTER (WHERE a = to_jsonb('a' || k)) = 40`},
	{name: "made again", ddl: wide, change: `DROP TABLE {t}; CREATE TABLE {t} (b text, k int PRIMARY KEY)`, holds: `count(*) FILTER (WHERE b = (k * 2)::text) = 20`, fresh: true},
	{name: "renamed", ddl: wide, change: `ALTER TABLE {t} RENAME TO {t}_x`, halts: []string{"does not exist", "did you mean public.{t}_x"}, mend: `ALTER TABLE {t}_x RENAME TO {t}`},
	{name: "dropped", ddl: wide, mode: "upsert(k)", change: `DROP TABLE {t}`, halts: []string{"does not exist"}, mend: wide, fresh: true},
	{name: "permission lost", ddl: wide, change: `REVOKE INSERT ON {t} FROM {r}`, halts: []string{"no right to insert", "GRANT INSERT ON"}, mend: `GRANT INSERT ON {t} TO {r}`},
	{name: "key index dropped", ddl: wide, mode: "upsert(k)", change: `ALTER TABLE {t} DROP CONSTRAINT {t}_pkey`, halts: []string{"no unique index on (k)", "CREATE UNIQUE INDEX"}, mend: `ALTER TABLE {t} ADD PRIMARY KEY (k)`},
	{
		name: "no partition", ddl: `CREATE TABLE {t} (k bigint, a text) PARTITION BY RANGE (k); CREATE TABLE {t}_1 PARTITION OF {t} FOR VALUES FROM (0) TO (30)`,
		change: `SELECT`, halts: []string{"no partition of relation", "DEFAULT partition"}, mend: `CREATE TABLE {t}_2 PARTITION OF {t} DEFAULT`,
	},
	{
		name: "broken function", ddl: wide, change: `CREATE FUNCTION broken_{t}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM no_such_function(); END $$;
			CREATE TRIGGER broken BEFORE INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION broken_{t}()`,
		halts: []string{"table public.{t}", "no_such_function"}, mend: `DROP TRIGGER broken ON {t}`,
	},
}

// course is one of the refusals with its topic and table.
type course struct {
	*world
	r     refused
	table string
}

// half is how many good records come before the change, and how many after it.
const half = 20

// TestRefusals gives one service a topic for each refusal: what is bad becomes a
// dead letter, what was changed is read again, what is wrong halts alone and
// goes on when it was mended, and the others go on always.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 1)
	e := w.env().with("SINKD_DATABASE_URL", w.clerk("pw"), "SINKD_FOREIGN_KEY_WAIT", "1s", "SINKD_BATCH_INTERVAL", "20ms")
	w.exec(`ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO ` + w.role())
	courses := make([]*course, len(refusals))
	routes := make([]string, len(refusals))
	for i, r := range refusals {
		c := &course{world: w.beside(t, lab.Topic(t, w.brokers, 1)), r: r, table: "on_" + strings.ReplaceAll(r.name, " ", "_")}
		w.exec(c.in(r.ddl))
		mode := r.mode
		if mode == "" {
			mode = "append"
		}
		courses[i], routes[i] = c, c.topic+" -> public."+c.table+" "+mode
	}
	delete(e, "SINKD_TOPICS")
	delete(e, "SINKD_TABLE")
	s := start(t, e.with("SINKD_ROUTES", strings.Join(routes, "\n")))
	s.ready(30 * time.Second)
	beacon := courses[0]
	t.Run("all", func(t *testing.T) {
		for _, c := range courses[1:] {
			t.Run(c.r.name, func(t *testing.T) {
				t.Parallel()
				c.world = c.beside(t, c.topic)
				c.run(beacon)
			})
		}
	})
	s.ready(10 * time.Second)
}

// beside gives a world of another topic in the same database.
func (w *world) beside(t testing.TB, topic string) *world {
	t.Helper()
	o := &world{t: t, brokers: w.brokers, url: w.url, topic: topic, sent: make(map[place]int64), bad: make(map[place]bool)}
	o.connect()
	t.Cleanup(func() { o.client.Close(); o.disconnect() })
	return o
}

// in puts table and role in their places.
func (c *course) in(text string) string {
	return strings.NewReplacer("{t}", c.table, "{r}", c.role()).Replace(text)
}

// run sends the first records, changes the table, and sends the others.
func (c *course) run(beacon *course) {
	c.t.Helper()
	c.give("", c.r.bad)
	c.arrived()
	if c.r.fresh {
		c.exec(`DELETE FROM ` + c.table)
	}
	if c.r.change != "" {
		c.exec(c.in(c.r.change))
		c.give(c.r.more)
	}
	if len(c.r.halts) > 0 {
		c.halted()
		beacon.goesOn()
		c.exec(c.in(c.r.mend))
		c.revive()
	}
	c.arrived()
	c.holds()
}

// give sends half of the records, with the bad one in their midst.
func (c *course) give(more string, bad ...string) {
	c.t.Helper()
	first := c.ids(half)
	var recs []*kgo.Record
	var ids []int64
	for k := first; k < first+half; k++ {
		if k == first+half/2 && len(bad) > 0 && bad[0] != "" {
			recs, ids = append(recs, &kgo.Record{Value: []byte(bad[0])}), append(ids, -1)
		}
		value := fmt.Sprintf(`{"k": %d, "a": "a%d", "b": %d%s}`, k, k, 2*k, more)
		recs, ids = append(recs, &kgo.Record{Value: []byte(value)}), append(ids, k)
	}
	try(c.t, c.send(c.t.Context(), recs, func(i int, at place) {
		if ids[i] < 0 {
			c.bad[at] = true
		} else {
			c.sent[at] = ids[i]
		}
	}))
}

// arrived waits until the position is at the end of what was sent.
func (c *course) arrived() {
	c.t.Helper()
	c.eventually("the position is not at the end", fmt.Sprintf(`SELECT CASE WHEN next_offset = %d THEN '' ELSE format('position %%s, halted %%s', next_offset, halted) END
		FROM sinkd.offsets WHERE topic = '%s'`, len(c.sent)+len(c.bad), c.topic))
}

// eventually asks until the answer is empty.
func (c *course) eventually(what, sql string) {
	c.t.Helper()
	eventually(c.t, 30*time.Second, what, func() error {
		answer, err := ask[string](c.world, sql)
		if err == nil && (len(answer) != 1 || answer[0] != "") {
			err = fmt.Errorf("%q", answer)
		}
		return err
	})
}

// halted waits until the topic is halted, by an incident that names the fix.
func (c *course) halted() {
	c.t.Helper()
	c.eventually("it does not halt", fmt.Sprintf(`SELECT CASE WHEN halted = 'configuration' THEN '' ELSE 'position ' || next_offset END
		FROM sinkd.offsets WHERE topic = '%s'`, c.topic))
	details := query[string](c.world, `SELECT detail FROM sinkd.incidents WHERE acked_at IS NULL AND topic = $1`, c.topic)
	for _, says := range c.r.halts {
		if len(details) != 1 || !strings.Contains(details[0], c.in(says)) {
			c.t.Errorf("incidents %q do not say %q", details, c.in(says))
		}
	}
}

// revive acknowledges the topic's incident.
func (c *course) revive() {
	c.t.Helper()
	id := query[int64](c.world, `SELECT id FROM sinkd.incidents WHERE acked_at IS NULL AND topic = $1`, c.topic)
	code, out := c.command(c.env(), "incidents", "ack", fmt.Sprint(id[0]), "--retry")
	if code != 0 {
		c.t.Fatalf("incidents ack: exit code %d\n%s", code, out)
	}
}

// goesOn sends a record and waits for it.
func (c *course) goesOn() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, res := range c.client.ProduceSync(c.t.Context(), &kgo.Record{Value: []byte(`{"k": ` + fmt.Sprint(c.next) + `}`)}) {
		try(c.t, res.Err)
	}
	c.next++
	c.eventually("another topic does not go on", fmt.Sprintf(`SELECT CASE WHEN count(*) = %d THEN '' ELSE count(*)::text END FROM %s`, c.next, c.table))
}

// holds compares the table, the dead letters and the incidents with what was
// sent.
func (c *course) holds() {
	c.t.Helper()
	first := 0
	if c.r.fresh {
		first = half
	}
	n := len(c.sent)
	also := c.r.holds
	if also == "" {
		also = "true"
	}
	got := query[string](c.world, fmt.Sprintf(`SELECT format('%%s rows, %%s of them, %%s', count(*), count(DISTINCT k) FILTER (WHERE k BETWEEN %d AND %d), %s) FROM %s`,
		first, n-1, also, c.table))[0]
	if want := fmt.Sprintf("%d rows, %d of them, t", n-first, n-first); got != want {
		c.t.Errorf("%s; want %s", got, want)
	}
	dead := query[int64](c.world, `SELECT record_offset FROM sinkd.dead_letters WHERE topic = $1`, c.topic)
	if len(dead) != len(c.bad) || len(dead) > 0 && !c.bad[place{0, dead[0]}] {
		c.t.Errorf("dead letters %v, want %v", dead, c.bad)
	}
	if open := query[string](c.world, `SELECT detail FROM sinkd.incidents WHERE acked_at IS NULL AND topic = $1`, c.topic); len(open) > 0 {
		c.t.Errorf("incidents %q", open)
	}
}
