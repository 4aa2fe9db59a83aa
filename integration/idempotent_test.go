package integration_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd/integration/lab"
)

// idempotent gives the environment of a sinkd that keeps no tables, and the
// events table the key that this takes.
func (w *world) idempotent(pairs ...string) env {
	w.t.Helper()
	w.bookless = true
	w.exec(`ALTER TABLE events ADD PRIMARY KEY (id)`)
	return w.env().with("SINKD_DELIVERY", "idempotent", "SINKD_MODE", "upsert").with(pairs...)
}

// converged checks that the table holds what was produced, and the database no
// table but that one.
func (w *world) converged() error {
	w.t.Helper()
	w.connecting.Lock()
	defer w.connecting.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	conn := w.database()
	found, err := w.rows(w.t.Context(), conn)
	if err != nil {
		return err
	}
	others, err := conn.Query(w.t.Context(), `SELECT 'a relation ' || oid::regclass::text FROM pg_class
		WHERE relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace, 'information_schema'::regnamespace)
		AND relpersistence = 'p' AND relname NOT IN ('events', 'events_pkey')
		UNION ALL SELECT 'a schema ' || nspname FROM pg_namespace WHERE nspname LIKE 'sinkd%'`)
	if err != nil {
		return err
	}
	more, err := pgx.CollectRows(others, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if found = append(found, more...); len(found) > 0 {
		return fmt.Errorf("%d findings:\n%s", len(found), strings.Join(found[:min(len(found), 20)], "\n"))
	}
	return nil
}

// committed gives the offsets that the group has committed.
func (w *world) committed() map[int32]int64 {
	w.t.Helper()
	out, err := w.tryCommitted(w.t.Context())
	try(w.t, err)
	return out
}

// tryCommitted asks again while the broker still makes, or moves, what it keeps
// groups in.
func (w *world) tryCommitted(ctx context.Context) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	all, err := w.admin().FetchOffsets(ctx, w.topic)
	for kerr.IsRetriable(err) && ctx.Err() == nil {
		all, err = w.admin().FetchOffsets(ctx, w.topic)
	}
	out := make(map[int32]int64)
	for id, o := range all[w.topic] {
		out[id] = o.At
	}
	return out, err
}

// setGroup sets the group's offsets, which has no members.
func (w *world) setGroup(at map[int32]int64) {
	w.t.Helper()
	offsets := make(kadm.Offsets)
	for id, o := range at {
		offsets.AddOffset(w.topic, id, o, -1)
	}
	eventually(w.t, 30*time.Second, "the group's offsets cannot be set", func() error {
		return w.admin().CommitAllOffsets(w.t.Context(), w.topic, offsets)
	})
}

// catchUp runs sinkd until it has caught up.
func catchUp(t *testing.T, e env) *service {
	t.Helper()
	s := start(t, e, "run", "--until-caught-up")
	if code := s.exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	return s
}

// TestIdempotent goes on from the group's offsets, and begins by SINKD_START
// where there are none.
func TestIdempotent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	w.produce(30, 3)
	w.forget()
	e := w.idempotent("SINKD_START", "latest")
	catchUp(t, e)
	w.exact()
	if got, want := w.committed(), (map[int32]int64{0: 10, 1: 10, 2: 10}); !maps.Equal(got, want) {
		t.Errorf("committed %v, want %v", got, want)
	}
	w.produce(3000, 3)
	catchUp(t, e)
	w.exact()
	if got := w.committed(); !maps.Equal(got, w.ends()) {
		t.Errorf("committed %v, the ends are %v", got, w.ends())
	}
	w.exec(`DELETE FROM events WHERE id = 30`)
	w.produce(30, 3)
	s := start(t, e)
	eventually(t, 30*time.Second, "not all of it is committed", func() error { return w.committedUpTo(w.ends()) })
	if code := s.term(20 * time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	if err := w.converged(); err == nil || !strings.Contains(err.Error(), "1 findings:\nlost at") {
		t.Errorf("what was committed was read again: %v", err)
	}
	if status := s.Output(); !strings.Contains(string(status), "idempotent: a replay converges to the same rows") {
		t.Error("the log does not state the guarantee")
	}
}

// committedUpTo compares the group's offsets with those that they have to be at.
func (w *world) committedUpTo(want map[int32]int64) error {
	got, err := w.tryCommitted(w.t.Context())
	if err == nil && !maps.Equal(got, want) {
		err = fmt.Errorf("%v of %v", got, want)
	}
	return err
}

// TestIdempotentStartIsPinned kills the process before its first batch: what
// was produced since the start is not passed over by the next start's latest.
func TestIdempotentStartIsPinned(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	w.produce(20, 2)
	w.forget()
	e := w.idempotent("SINKD_START", "latest")
	tx := w.begin()
	w.txExec(tx, `LOCK TABLE events`)
	s := start(t, e)
	balanced(t, 30*time.Second, 2, s)
	w.produce(20, 2)
	try(t, s.Kill())
	try(t, tx.Rollback(t.Context()))
	catchUp(t, e)
	w.exact()
}

// TestIdempotentKills kills replicas at random moments, and lets others come and
// go in order; the group's offsets never go back.
func TestIdempotentKills(t *testing.T) {
	t.Parallel()
	const partitions = 4
	w := newWorld(t, partitions)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	e := w.idempotent("SINKD_KAFKA_SESSION_TIMEOUT", "2s")
	stop := w.keep(func(ctx context.Context) error { return w.tryProduce(ctx, 10, partitions) })
	before := make(map[int32]int64)
	watched := w.keep(func(ctx context.Context) error {
		now, err := w.tryCommitted(ctx)
		for id, at := range now {
			if at < before[id] {
				err = errors.Join(err, fmt.Errorf("partition %d: the group's offset went back from %d to %d", id, before[id], at))
			}
			before[id] = at
		}
		return err
	})
	replicas := []*service{start(t, e), start(t, e)}
	replicas[0].ready(30 * time.Second)
	for i := range 6 {
		w.advance(50 + random.Int64N(200))
		victim := random.IntN(len(replicas))
		if i%3 == 2 {
			replicas[victim].ready(30 * time.Second) // what has only begun to start knows no signals yet
			if code := replicas[victim].term(20 * time.Second); code != 0 {
				t.Errorf("exit code %d after SIGTERM", code)
			}
		} else {
			try(t, replicas[victim].Kill())
		}
		replicas[victim] = start(t, e)
	}
	w.advance(300)
	stop()
	eventually(t, time.Minute, "not all of it is committed", func() error { return w.committedUpTo(w.ends()) })
	watched()
	w.exact()
}

// TestIdempotentReplay sets the group's offsets back: rows go through no older
// state, whatever the batches are.
func TestIdempotentReplay(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 1)
	e := w.idempotent("SINKD_BATCH_MAX_RECORDS", "3")
	recs := make([]*kgo.Record, 60)
	for i := range recs {
		recs[i] = w.event(int64(i%4), 0)
	}
	try(t, w.send(t.Context(), recs, func(i int, at place) {
		if i >= len(recs)-4 {
			w.sent[at] = int64(i % 4)
		}
	}))
	catchUp(t, e)
	w.exact()
	w.exec(`CREATE FUNCTION forward() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.kafka_offset < OLD.kafka_offset THEN RAISE 'back from % to %', OLD.kafka_offset, NEW.kafka_offset; END IF;
		RETURN NEW; END $$; CREATE TRIGGER forward BEFORE UPDATE ON events FOR EACH ROW EXECUTE FUNCTION forward();
		DELETE FROM events WHERE id = 3`)
	w.setGroup(map[int32]int64{0: 10})
	catchUp(t, e)
	w.exact()
}

// TestIdempotentBadRecord stops one partition at a bad record, behind what lies
// before it; the other one goes on.
func TestIdempotentBadRecord(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	e := w.idempotent()
	w.produce(100, 2)
	w.produceBad([]string{`{"id": "none"}`}, 0)
	later := len(w.sent)
	w.produce(100, 2)
	s := start(t, e, "run", "--until-caught-up")
	if code := s.exit(time.Minute); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	log := string(s.Output())
	for _, says := range []string{"partition halted", w.topic + "[0] offset 50", "kind=bad_record", "column id", "set the consumer group's offset behind the record"} {
		if !strings.Contains(log, says) {
			t.Errorf("the log does not say %q", says)
		}
	}
	if got, want := w.committed(), (map[int32]int64{0: 50, 1: 100}); !maps.Equal(got, want) {
		t.Errorf("committed %v, want %v", got, want)
	}
	for at, id := range w.sent {
		if at.partition == 0 && id >= int64(later) {
			delete(w.sent, at)
			defer func() { w.sent[at] = id }()
		}
	}
	w.exact()
}

// TestIdempotentGoesOnBehindBadRecord passes over a bad record by the group's
// offset, and shows meanwhile what is halted.
func TestIdempotentGoesOnBehindBadRecord(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 1)
	e := w.idempotent()
	w.produceBad([]string{`{"id": "none"}`}, 0)
	w.produce(10, 1)
	s := start(t, e)
	eventually(t, 30*time.Second, "the halt does not show", func() error {
		if _, err := s.holds(); err != nil {
			return err
		}
		part, _ := s.status()["partitions"].([]any)
		if len(part) != 1 || fmt.Sprint(part[0].(map[string]any)["incident"]) != "bad_record" {
			return fmt.Errorf("%v", part)
		}
		n, err := s.tryMetric(t.Context(), "sinkd_incidents", `kind="bad_record"`)
		if err == nil && n != 1 {
			err = fmt.Errorf("%v incidents", n)
		}
		return err
	})
	if code := s.term(20 * time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	w.setGroup(map[int32]int64{0: 1})
	catchUp(t, e)
	w.exact()
}

// TestIdempotentOffsetsAreGone: what Kafka has forgotten of the group begins by
// SINKD_START again.
func TestIdempotentOffsetsAreGone(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	e := w.idempotent()
	w.produce(100, 2)
	catchUp(t, e)
	w.exec(`DELETE FROM events WHERE id = 0`)
	eventually(t, 30*time.Second, "the group cannot be deleted", func() error {
		resp, err := w.admin().DeleteGroups(t.Context(), w.topic)
		return errors.Join(err, resp.Error())
	})
	w.produce(100, 2)
	catchUp(t, e)
	w.exact()
}

// TestIdempotentRecordsExpired has records gone behind the group's offset.
func TestIdempotentRecordsExpired(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	e := w.idempotent()
	w.produce(100, 2)
	catchUp(t, e)
	w.produce(100, 2)
	var lose kadm.Offsets
	lose.AddOffset(w.topic, 0, 80, -1)
	if _, err := w.admin().DeleteRecords(t.Context(), lose); err != nil {
		t.Fatal(err)
	}
	s := start(t, e, "run", "--until-caught-up")
	if code := s.exit(time.Minute); code != 1 {
		t.Errorf("exit code %d of a run with a halted partition, want 1", code)
	}
	if got, want := w.committed(), (map[int32]int64{0: 50, 1: 100}); !maps.Equal(got, want) {
		t.Errorf("committed %v, want %v", got, want)
	}
	catchUp(t, e.with("SINKD_ON_DATA_LOSS", "skip"))
	for at := range w.sent {
		if at.partition == 0 && at.offset >= 50 && at.offset < 80 {
			delete(w.sent, at)
		}
	}
	w.exact()
}

// TestIdempotentPartitionsAdded has new partitions at the next start, which
// begin at their log start whatever the start policy.
func TestIdempotentPartitionsAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.produce(40, 2)
	w.forget()
	e := w.idempotent("SINKD_START", "latest")
	catchUp(t, e)
	w.grow(5)
	w.produce(500, 5)
	catchUp(t, e)
	w.exact()
}

// TestIdempotentLandingTable needs no table of the user's either.
func TestIdempotentLandingTable(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 2)
	w.produce(500, 2)
	try(t, w.send(t.Context(), []*kgo.Record{{Key: []byte("k")}}, func(int, place) {}))
	e := w.idempotent()
	delete(e, "SINKD_TABLE")
	catchUp(t, e)
	w.setGroup(map[int32]int64{0: 100, 1: 0})
	catchUp(t, e)
	got := query[string](w, `SELECT format('%s rows, %s records, %s tombstones', count(*), count(DISTINCT (kafka_topic, kafka_partition, kafka_offset)),
		count(*) FILTER (WHERE value IS NULL)) FROM public."`+w.topic+`"`)[0]
	if want := "501 rows, 501 records, 1 tombstones"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestIdempotentCutAfterCommit loses the answer to a COMMIT: the batch is
// written again.
func TestIdempotentCutAfterCommit(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 1)
	e := w.idempotent()
	proxy, err := lab.StartProxy(w.url)
	lab.Require(t, err)
	proxy.Match("sinkd/")
	fault := proxy.CutAfterCommit(1)
	w.produce(1000, 1)
	s := catchUp(t, e.with("SINKD_DATABASE_URL", proxy.URL(w.url)))
	try(t, fault.Wait(t.Context()))
	w.exact()
	if !strings.Contains(string(s.Output()), "resolved=again") {
		t.Error("no COMMIT was without an answer")
	}
}
