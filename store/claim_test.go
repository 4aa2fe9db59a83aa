package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
)

func part(id int32) sinkd.Partition { return sinkd.Partition{Topic: "t", ID: id} }

func TestClaim(t *testing.T) {
	f := setup(t)
	s := f.pinned(3)
	f.exec(`UPDATE sinkd.offsets SET halted = 'data_lost', leader_epoch = 4, generation = 2 WHERE partition = 1;
		UPDATE sinkd.partitions SET paused = true WHERE partition = 2`)
	claims := f.claims(s, 3)
	seen := make(map[uuid.UUID]bool)
	for i, c := range claims {
		if c.ID != int32(i) || seen[c.Token] || c.Token == uuid.Nil {
			t.Errorf("claim %+v", c)
		}
		seen[c.Token] = true
	}
	if claims[1].Halted != "data_lost" || claims[1].Epoch != 4 || claims[1].Generation != 2 || !claims[2].Paused || claims[0].Paused {
		t.Errorf("claims %+v", claims)
	}
	again := f.claims(f.open(), 3)
	for i := range again {
		if again[i].Token == claims[i].Token {
			t.Errorf("the token of %v was not renewed", again[i].Partition)
		}
	}
	got, locked, err := s.Claim(f.Context(), []sinkd.Partition{part(7), {Topic: "other"}})
	if err != nil || len(got)+len(locked) > 0 {
		t.Errorf("claimed what does not exist: %v %v %v", got, locked, err)
	}
}

// A failover may lose the last claim. The token of the claim that comes after
// it must not be the lost one's, or the lost claim's owner would be let in.
func TestTokenIsNotMintedTwice(t *testing.T) {
	f := setup(t)
	lost, s := f.pinned(1), f.open()
	f.exec(`CREATE TABLE standby AS SELECT * FROM sinkd.offsets`)
	b := f.batch(from(f.claim(lost), 0, 5))
	f.exec(`UPDATE sinkd.offsets o SET claim = s.claim FROM standby s WHERE s.partition = o.partition`)
	c := f.claim(s)
	f.class(lost.Apply(f.Context(), 0, b), sinkd.Fenced)
	f.must(s.Apply(f.Context(), 0, f.batch(from(c, 0, 2))))
	f.landed(2)
}

// A row that is held is told, while the free ones are claimed at once.
func TestClaimSkipsLockedRows(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	tx, err := f.db.Begin(f.Context())
	f.must(err)
	_, err = tx.Exec(f.Context(), `SELECT FROM sinkd.offsets WHERE partition = 0 FOR UPDATE`)
	f.must(err)
	claims, locked, err := s.Claim(f.Context(), []sinkd.Partition{part(0), part(1)})
	if err != nil || len(claims) != 1 || claims[0].ID != 1 || len(locked) != 1 || locked[0].ID != 0 {
		t.Fatalf("%v %v %v", claims, locked, err)
	}
	done := make(chan error, 1)
	var claim sinkd.Claim
	go func() {
		var err error
		claim, err = s.ClaimLocked(f.Context(), part(0))
		done <- err
	}()
	_, err = tx.Exec(f.Context(), `UPDATE sinkd.offsets SET next_offset = 12 WHERE partition = 0`)
	f.must(err)
	f.must(tx.Commit(f.Context()))
	f.must(<-done)
	if claim.Next != 12 {
		t.Errorf("claimed at %d", claim.Next)
	}
}

// A zombie that is stopped inside COPY holds its row for ever; the one that
// claims it ends the zombie's session. Nothing of the zombie lands.
func TestClaimEndsStalledCopy(t *testing.T) {
	f := setup(t)
	direct := *f
	proxy, reg := f.proxied(), prometheus.NewRegistry()
	zombie := f.pinned(1)
	c := f.claim(zombie)
	fault := proxy.StallInCopy(100, 1)
	done := make(chan error, 1)
	go func() { done <- zombie.Apply(f.Context(), 0, f.batch(from(c, 0, 500))) }()
	f.must(fault.Wait(f.Context()))

	s := direct.open(measured(reg))
	claims, locked, err := s.Claim(f.Context(), []sinkd.Partition{part(0)})
	if err != nil || len(claims) != 0 || len(locked) != 1 {
		t.Fatalf("%v %v %v", claims, locked, err)
	}
	f.must(s.Ping(f.Context())) // connects the session that looks for blockers
	start := time.Now()
	claim, err := s.ClaimLocked(f.Context(), part(0))
	f.must(err)
	if took := time.Since(start); took < 3*time.Second || took > 6*time.Second {
		t.Errorf("took %s", took)
	}
	f.must(s.Apply(f.Context(), 0, f.batch(from(&claim, 0, 5))))
	if n := f.counter(reg, "sinkd_blockers_terminated_total", ""); n != 1 {
		t.Errorf("%v sessions ended", n)
	}
	fault.Release()
	f.class(<-done, sinkd.Transient)
	f.class(zombie.Apply(f.Context(), 0, f.batch(from(c, 0, 5))), sinkd.Fenced)
	f.landed(5)
}

// A healthy long statement is let be, also where another writer waits for it
// and is itself in the way: the claim fails, to be tried again.
func TestClaimLeavesHealthyWorkAlone(t *testing.T) {
	f := setup(t)
	f.exec(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(6); RETURN NULL; END';
		CREATE TRIGGER slow AFTER INSERT ON target FOR EACH STATEMENT EXECUTE FUNCTION slow()`)
	busy, reg := f.pinned(1), prometheus.NewRegistry()
	c := f.claim(busy)
	done := make(chan error, 1)
	go func() { done <- busy.Apply(f.Context(), 0, f.batch(from(c, 0, 5))) }()
	f.until(`SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`)
	s := f.open(measured(reg))
	claim, err := s.ClaimLocked(f.Context(), part(0))
	f.must(<-done)
	if err != nil || claim.Next != 5 {
		t.Errorf("claimed %+v, %v", claim, err)
	}
	if n := f.counter(reg, "sinkd_blockers_terminated_total", ""); n != 0 {
		t.Errorf("%v sessions ended", n)
	}
}

// Another program's session is never ended, however long it stalls.
func TestClaimLeavesOthersAlone(t *testing.T) {
	f := setup(t)
	s := f.pinned(1)
	tx, err := f.db.Begin(f.Context())
	f.must(err)
	_, err = tx.Exec(f.Context(), `SELECT FROM sinkd.offsets FOR UPDATE`)
	f.must(err)
	_, err = s.ClaimLocked(f.Context(), part(0))
	if e := f.class(err, sinkd.Transient); e.SQLState != "55P03" {
		t.Errorf("%+v", e)
	}
	f.must(tx.Commit(f.Context()))
}

func TestRelease(t *testing.T) {
	f := setup(t)
	s := f.pinned(2)
	claims := f.claims(s, 2)
	f.claim(f.open())
	f.must(s.Release(f.Context(), []*sinkd.Claim{&claims[0], &claims[1]}))
	if got := one[string](f, `SELECT string_agg(partition::text, ',') FROM sinkd.partitions WHERE released_at <= clock_timestamp()`); got != "1" {
		t.Errorf("released %s: partition 0 is another's", got)
	}
}

// A hand-over lasts from the release to the first commit of the claim that saw
// it. A release that another writer's turn came after is none of it.
func TestHandovers(t *testing.T) {
	f := setup(t)
	a, b := f.pinned(2), f.open()
	claims := f.claims(a, 2)
	f.must(a.Apply(f.Context(), 0, f.batch(from(&claims[0], 0, 5))))
	f.must(a.Release(f.Context(), []*sinkd.Claim{&claims[0]}))
	next := f.claims(b, 2)
	if next[0].Released.IsZero() || !next[1].Released.IsZero() {
		t.Fatalf("the claims say that their partitions were released %v and %v", next[0].Released, next[1].Released)
	}
	f.must(b.Apply(f.Context(), 0, f.batch(from(&next[0], 5, 10))))
	took, err := b.Handovers(f.Context(), []*sinkd.Claim{&next[0]})
	f.must(err)
	if len(took) != 1 || took[0] <= 0 || took[0] > time.Minute {
		t.Errorf("hand-overs took %v", took)
	}
	f.must(b.Observe(f.Context(), []sinkd.Observation{{Partition: part(0), End: 10, HighWatermark: 10}}))
	if late := f.claims(f.open(), 2)[0]; !late.Released.IsZero() {
		t.Errorf("the release of %v is told to who comes after %s", late.Released, next[0].Token)
	}
}
