package store_test

import (
	"context"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
	"github.com/sinkd/sinkd/store"
)

// replay is a replay of all letters as rows of the target.
func (f *fixture) replay() *store.Replay {
	return &store.Replay{
		LetterFilter: store.LetterFilter{Scope: store.Scope{Partition: -1}}, Operator: store.Operator{Name: "ann"},
		Encode: func(_ context.Context, b *sinkd.Batch) error {
			b.Dead = nil
			f.encode(b)
			return nil
		},
	}
}

func offsets(first, last int64) (all []int64) {
	for offset := first; offset <= last; offset++ {
		all = append(all, offset)
	}
	return all
}

// books checks rows, letters and what the ledger says of both.
func (f *fixture) books(rows, letters int) {
	f.Helper()
	got := [6]int{
		one[int](f, `SELECT count(*) FROM target`), one[int](f, `SELECT count(DISTINCT k) FROM target`),
		one[int](f, `SELECT count(*) FROM sinkd.dead_letters`),
		one[int](f, `SELECT coalesce(sum(rows), 0) FROM sinkd.batches`), one[int](f, `SELECT coalesce(sum(dead), 0) FROM sinkd.batches`),
		one[int](f, `SELECT coalesce(sum(skipped), 0) FROM sinkd.batches`),
	}
	if want := [6]int{rows, rows, letters, rows, letters, 0}; got != want {
		f.Errorf("rows, distinct, letters, ledger rows, dead, skipped: %v, want %v", got, want)
	}
}

// Two replays at once share the letters: none is written twice, none is left.
func TestReplaysAtOnce(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	claims := f.claims(s, 2)
	for n := range int64(8) {
		f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(&claims[0], 200*n, 200*(n+1)), from(&claims[1], 200*n, 200*(n+1))), offsets(200*n, 200*n+150)...)))
	}
	before := one[int](f, `SELECT count(*) FROM target`)
	letters := one[int64](f, `SELECT count(*) FROM sinkd.dead_letters`)
	var mu sync.Mutex
	var landed int64
	group, ctx := errgroup.WithContext(t.Context())
	for range 3 {
		other := f.open()
		group.Go(func() error {
			done, err := other.Replay(ctx, f.replay())
			mu.Lock()
			defer mu.Unlock()
			landed += done.Landed
			return err
		})
	}
	f.must(group.Wait())
	after := one[int](f, `SELECT count(*) FROM target`)
	dead := one[int64](f, `SELECT sum(dead) FROM sinkd.batches`)
	rows := one[int](f, `SELECT sum(rows) FROM sinkd.batches`)
	if landed != letters || int64(after-before) != letters || dead != 0 || rows != after {
		t.Errorf("%d letters, %d landed, %d rows more, the ledger has %d rows and %d dead of %d", letters, landed, after-before, rows, dead, after)
	}
}

// A replay whose connection is lost at its COMMIT is repeated without harm,
// whether it had landed or not.
func TestReplayWithALostCommit(t *testing.T) {
	for _, before := range []bool{true, false} {
		f := setupOn(t, lab.Database(t))
		s := f.pinned(1)
		f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(f.claim(s), 0, 50)), offsets(10, 29)...)))
		f.books(30, 20)
		url := f.url
		proxy := f.proxied()
		fault := proxy.CutAfterCommit(1)
		if before {
			fault = proxy.CutBeforeCommit(1)
		}
		_, err := f.open().Replay(f.Context(), f.replay())
		f.class(err, sinkd.Transient)
		f.must(fault.Wait(f.Context()))
		f.url = url
		if _, err = f.open().Replay(f.Context(), f.replay()); err != nil {
			t.Fatal(err)
		}
		f.books(50, 0)
	}
}

// What Postgres refuses stays alone, with the new reason, and does not count as
// failed anew.
func TestReplayLeavesWhatIsStillBad(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(f.claim(s), 0, 50)), offsets(10, 29)...)))
	f.exec(`ALTER TABLE target ADD CHECK (k NOT IN (13, 14, 20)); UPDATE sinkd.dead_letters SET failed_at = now() - interval '1 day';
		UPDATE sinkd.topics SET pinned_at = now() - interval '2 days'`)
	r := f.replay()
	r.DryRun = true
	done, err := s.Replay(f.Context(), r)
	if f.must(err); done.Landed != 17 || done.Bad != 3 {
		t.Errorf("%+v", done)
	}
	f.books(30, 20)
	r.DryRun = false
	done, err = s.Replay(f.Context(), r)
	if f.must(err); done.Landed != 17 || done.Bad != 3 {
		t.Errorf("%+v", done)
	}
	f.books(47, 3)
	if n := one[int](f, `SELECT count(*) FROM sinkd.dead_letters WHERE sqlstate = '23514' AND stage = 'write' AND failed_at < now() - interval '1 hour'`); n != 3 {
		t.Errorf("%d letters have their new reason", n)
	}
}

// Letters whose records are read again are left, and removed once they were.
func TestReplayAfterAMove(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	c := f.claim(s)
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 0, 20)), 3, 5, 12, 15)))
	f.exec(`DELETE FROM target WHERE k >= 4`)
	if _, err := s.Move(f.Context(), move(map[int32]int64{0: 4})); err != nil {
		t.Fatal(err)
	}
	c = f.claim(s)
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(c, 4, 14)), 12)))
	// 5 landed since, 12 is dead again, 15 is still to be read.
	done, err := s.Replay(f.Context(), f.replay())
	if f.must(err); done.Landed != 2 || done.Obsolete != 1 || done.Ahead != 1 {
		t.Errorf("%+v", done)
	}
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 14, 20))))
	done, err = s.Replay(f.Context(), f.replay())
	if f.must(err); done.Landed != 0 || done.Obsolete != 1 {
		t.Errorf("%+v", done)
	}
	if n := one[int](f, `SELECT count(*) FROM target`); n != 20 || one[int](f, `SELECT count(DISTINCT k) FROM target`) != n {
		t.Errorf("%d rows", n)
	}
	if n := one[int](f, `SELECT sum(dead) FROM sinkd.batches WHERE generation = 2`); n != 0 {
		t.Errorf("%d dead", n)
	}
}

// A move waits for a replay under way: rows that it did not see would be written
// twice.
func TestMoveWaitsForAReplay(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	route, table := f.placed(s)
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(f.claim(s), 0, 20)), 12)))
	m := move(map[int32]int64{0: 10})
	m.DeleteRows, m.Topics[0].Route, m.Topics[0].Table = true, route, table
	moved := make(chan error, 1)
	r := f.replay()
	encode := r.Encode
	r.Encode = func(ctx context.Context, b *sinkd.Batch) error {
		other := f.open()
		go func() {
			_, err := other.Move(context.WithoutCancel(ctx), m)
			moved <- err
		}()
		f.until(`SELECT count(*) > 0 FROM pg_locks WHERE NOT granted`)
		return encode(ctx, b)
	}
	done, err := s.Replay(f.Context(), r)
	if f.must(err); done.Landed != 1 {
		t.Errorf("%+v", done)
	}
	f.must(<-moved)
	f.must(s.Apply(f.Context(), 0, f.batch(from(f.claim(s), 10, 20))))
	if n := one[int](f, `SELECT count(*) FROM target`); n != 20 || one[int](f, `SELECT count(DISTINCT k) FROM target`) != n {
		t.Errorf("%d rows", n)
	}
}

// Headers and bytes come back as they were.
func TestLetterKeepsTheRecord(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	b := f.kill(f.batch(from(f.claim(s), 0, 3)), 1)
	rec := b.Dead[0].Record
	rec.Key, rec.Value = nil, []byte{0, 1, 0xff}
	rec.Headers = []sinkd.Header{{Key: []byte("a"), Value: []byte("x")}, {Key: []byte("a\xff"), Value: []byte("base64:")}, {Key: []byte(""), Value: nil}, {Key: []byte("e"), Value: []byte{}}}
	f.must(s.Apply(f.Context(), 0, b))
	l, err := s.Letter(f.Context(), sinkd.Partition{Topic: "t"}, 1)
	f.must(err)
	got := l.Record
	if got.Key != nil || string(got.Value) != string(rec.Value) || len(got.Headers) != len(rec.Headers) {
		t.Fatalf("%+v", got)
	}
	for i, h := range rec.Headers {
		if g := got.Headers[i]; string(g.Key) != string(h.Key) || string(g.Value) != string(h.Value) || (g.Value == nil) != (h.Value == nil) {
			t.Errorf("header %d: %q, want %q", i, g, h)
		}
	}
}

// Sent letters leave in the transaction that took them; where sending fails they
// stay.
func TestReplayToATopic(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	f.must(s.Apply(f.Context(), 0, f.kill(f.batch(from(f.claim(s), 0, 20)), 3, 12)))
	r := f.replay()
	r.Topic = "u"
	r.Send = func(context.Context, []*sinkd.Record) error { return context.DeadlineExceeded }
	if _, err := s.Replay(f.Context(), r); err == nil {
		t.Error("no error")
	}
	f.books(18, 2)
	var sent []*sinkd.Record
	r.Send = func(_ context.Context, records []*sinkd.Record) error {
		sent = append(sent, records...)
		return nil
	}
	done, err := s.Replay(f.Context(), r)
	if f.must(err); done.Sent != 2 || len(sent) != 2 || sent[1].Offset != 12 || !sent[1].Timestamp.UTC().Equal(sent[1].Timestamp) {
		t.Errorf("%+v, %+v", done, sent)
	}
	if n := one[int](f, `SELECT count(*) FROM sinkd.dead_letters`); n != 0 {
		t.Errorf("%d letters", n)
	}
}
