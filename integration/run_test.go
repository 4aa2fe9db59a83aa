package integration_test

import (
	"testing"
	"time"
)

func TestRunUntilCaughtUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	w.produce(5000, 3)
	w.produceBad([]string{`{"id": 1,`, `{"id": "x"}`, `{"other": true}`}, 1)
	w.produce(100, 3)
	s := start(t, w.env(), "run", "--until-caught-up")
	if code := s.exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.exact()
	w.produce(10, 3)
	s = start(t, w.env(), "run", "--until-caught-up")
	if code := s.exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.exact()
}

func TestTermDrains(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	s := start(t, w.env())
	s.ready(30 * time.Second)
	w.produce(3000, 2)
	eventually(t, 30*time.Second, "not all events have landed", w.audit)
	w.produce(3000, 2)
	if code := s.term(20 * time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	s = start(t, w.env(), "run", "--until-caught-up")
	if code := s.exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.exact()
}

func TestLandingTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.produce(500, 2)
	e := w.env()
	delete(e, "SINKD_TABLE")
	if code := start(t, e, "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	n := query[int64](w, `SELECT count(DISTINCT (kafka_partition, kafka_offset)) FROM public."`+w.topic+`"
		WHERE kafka_topic = '`+w.topic+`' AND value->>'id' IS NOT NULL AND kafka_timestamp IS NOT NULL`)[0]
	if n != 500 {
		t.Errorf("%d records in the landing table, want 500", n)
	}
}
