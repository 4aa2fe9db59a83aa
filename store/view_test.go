package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestView shows batches, partitions, incidents and counts of a pipeline, and
// of no other one.
func TestView(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	claims := f.claims(s, 2)
	began := time.Now().Add(-time.Minute)
	b := f.batch(from(&claims[0], 0, 10), from(&claims[1], 0, 5))
	f.must(s.Apply(t.Context(), 0, f.kill(b, 3)))
	f.exec(`INSERT INTO sinkd.dead_letters (pipeline, topic, partition, record_offset, stage, reason)
	        VALUES ('other', 't', 0, 9, 'decode', 'x')`)
	v, err := s.View(t.Context(), began)
	f.must(err)
	if len(v.Batches) != 1 || len(v.Status.Partitions) != 2 || v.Letters.Count != 2 || v.Server == "" {
		t.Fatalf("%d batches, %d partitions, %d letters, server %q", len(v.Batches), len(v.Status.Partitions), v.Letters.Count, v.Server)
	}
	got := v.Batches[0]
	if got.ID != b.ID || got.Records != 15 || got.Rows != 13 || got.Dead != 2 || got.Ranges != 2 || len(got.Spans) != 2 ||
		got.Spans[1].Partition != 1 || got.Spans[1].Until != 5 {
		t.Errorf("%+v", got)
	}
	if v, err = s.View(t.Context(), time.Now().Add(time.Minute)); err != nil || len(v.Batches) != 0 {
		t.Errorf("%d batches of the future, %v", len(v.Batches), err)
	}
	l, err := s.ViewLetters(t.Context())
	f.must(err)
	if len(l.Groups) != 1 || l.Groups[0].Count != 2 || l.Grouped != 2 || len(l.Newest) != 2 || string(l.Newest[0].Value) != "note" {
		t.Errorf("%+v", l)
	}
}

// TestViewBlocked names who a session of the pipeline waits for.
func TestViewBlocked(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	claim := f.claim(s)
	other, err := pgx.Connect(t.Context(), f.url)
	f.must(err)
	defer other.Close(context.Background())
	for _, sql := range []string{`SET application_name = 'a person'`, `BEGIN`, `LOCK TABLE target`} {
		_, err := other.Exec(t.Context(), sql)
		f.must(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Apply(t.Context(), 0, f.batch(from(claim, 0, 3))) }()
	f.until(`SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	v, err := s.View(t.Context(), time.Now())
	f.must(err)
	if len(v.Sessions) == 0 || len(v.Sessions[0].Blockers) != 1 || !strings.Contains(v.Sessions[0].Blockers[0], "a person, idle in transaction") {
		t.Errorf("%+v", v.Sessions)
	}
	if lane := v.Sessions[0].Lane; lane == nil || *lane != 0 {
		t.Errorf("the session is lane %v's", lane)
	}
	_, err = other.Exec(t.Context(), `ROLLBACK`)
	f.must(err)
	f.must(<-done)
}
