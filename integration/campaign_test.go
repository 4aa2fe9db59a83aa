package integration_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sinkd/sinkd/integration/lab"
)

// What the kill campaign can be told:
//
//	go test ./integration -run TestKillCampaign -cycles 300 -seed 7
var (
	campaignCycles = flag.Int("cycles", 60, "cycles of the kill campaign")
	campaignSeed   = flag.Uint64("seed", 0, "seed of the kill campaign, 0 = a new one; one that was printed replays its faults")
	campaignBroker = flag.String("broker", "kfake", "broker of the kill campaign: kfake or kafka")
)

const (
	// campaignPartitions are shared by two replicas, with two lanes each.
	campaignPartitions = 6
	// campaignSession is short, so that a replica that is silent is soon given
	// up by the group.
	campaignSession = 3 * time.Second
)

// campaign is a way to write that is struck.
type campaign struct {
	name string
	// part is the part of the cycles that it gets: 1 of so many.
	part  int
	keyed *keyed
	// grows is after how many events they have a field more, which wants a
	// column; 0 = never.
	grows int64
	env   []string
	// bookless is idempotent delivery: the table converges.
	bookless bool
}

// campaigns are all of them. Those that hold in other ways than by rows with
// coordinates bring an audit of their own.
func campaigns() []campaign {
	return []campaign{
		{name: "append", part: 1},
		{name: "upsert", part: 4, keyed: upserted(campaignPartitions), env: []string{"SINKD_MODE", "upsert"}},
		{name: "ignore", part: 4, keyed: ignored(campaignPartitions), env: []string{"SINKD_MODE", "ignore"}},
		{name: "add-column", part: 4, grows: 1000, env: []string{"SINKD_UNKNOWN_FIELDS", "add-column"}},
		// Without tombstones: what is not fenced can bring a deleted row back.
		{
			name: "idempotent", part: 4, keyed: overwritten(campaignPartitions), bookless: true,
			env: []string{"SINKD_MODE", "upsert", "SINKD_DELIVERY", "idempotent", "SINKD_DEAD_LETTER_LIMIT", ""},
		},
	}
}

// TestKillCampaign runs two replicas of one pipeline under load, each behind a
// proxy of its own, and strikes each of them again and again, as the seed says.
// What hits the one overlaps with what hits the other. In the end every record
// has taken effect exactly once, by coordinates and content; in idempotent
// delivery the table shows what the log says.
func TestKillCampaign(t *testing.T) {
	if testing.Short() {
		t.Skip("the kill campaign takes minutes")
	}
	t.Parallel()
	seed := *campaignSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	for _, c := range campaigns() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			t.Logf("campaign: %d cycles, seed %d; replay it by -run TestKillCampaign/%s -cycles %d -seed %d",
				*campaignCycles/c.part, seed, c.name, *campaignCycles, seed)
			c.run(t, seed)
		})
	}
}

func (c *campaign) run(t *testing.T, seed uint64) {
	t.Helper()
	w := newWorldAt(t, campaignAddr(t), lab.Database(t), campaignPartitions)
	w.bookless = c.bookless
	if w.byKey = c.keyed; w.byKey != nil {
		w.exec(`ALTER TABLE events ADD PRIMARY KEY (id)`)
	}
	if c.grows > 0 {
		w.widen(c.grows)
	}
	plans := plan(seed, max(1, *campaignCycles/c.part), 2)
	victims := make([]*victim, len(plans))
	for i := range victims {
		victims[i] = newVictim(w, fmt.Sprintf("replica %d", i+1), plans[i], c.env...)
		victims[i].s.ready(60 * time.Second)
	}
	stop := w.feed(40, campaignPartitions)
	group, ctx := errgroup.WithContext(t.Context())
	for _, v := range victims {
		group.Go(func() error { return v.suffer(ctx) })
	}
	err := group.Wait()
	stop()
	for _, v := range victims {
		v.tell()
	}
	try(t, err)
	eventually(t, 2*time.Minute, "not all of it has landed", w.behind)
	for _, v := range victims {
		if code := v.s.term(60 * time.Second); code != 0 {
			t.Errorf("%s: exit code %d after SIGTERM", v.name, code)
		}
	}
	w.exact()
	if c.grows > 0 {
		w.exactColumns()
	}
	w.everyFaultStruck(victims)
	if w.bookless {
		return
	}
	w.whole()
	t.Logf("campaign: %d records, %d of them bad, in %s", len(w.sent)+len(w.bad), len(w.bad),
		query[string](w, `SELECT format('%s ranges of %s batches, committed by %s processes',
			count(*), count(DISTINCT batch_id), count(DISTINCT writer)) FROM sinkd.batches`)[0])
}

func campaignAddr(t *testing.T) string {
	t.Helper()
	if *campaignBroker == "kafka" {
		return lab.SharedKafka(t).Addr()
	}
	k, err := lab.StartKfake(lab.KfakeOptions{Settings: map[string]string{"group.min.session.timeout.ms": "1000"}})
	lab.Require(t, err)
	return k.Addr()
}

// whole checks that the ledger begins at the beginning and counts all that was
// produced, and that nothing needed a person.
func (w *world) whole() {
	w.t.Helper()
	got := query[string](w, `SELECT format('first offsets %s, %s rows, %s skipped, %s dead, %s incidents',
		array(SELECT DISTINCT min(from_offset) FROM sinkd.batches GROUP BY topic, partition),
		sum(rows), sum(skipped), sum(dead), (SELECT count(*) FROM sinkd.incidents)) FROM sinkd.batches`)[0]
	skipped := 0
	if w.byKey != nil {
		skipped = w.byKey.skipped(w.sent)
	}
	want := fmt.Sprintf("first offsets {0}, %d rows, %d skipped, %d dead, 0 incidents", len(w.sent)-skipped, skipped, len(w.bad))
	if got != want {
		w.t.Errorf("ledger: %s; want %s", got, want)
	}
}

// oftenPlanned is how often a kind of fault is planned that has to strike: what
// comes once may find no transaction to hit.
const oftenPlanned = 3

// everyFaultStruck fails where a kind of fault was planned and never struck, or
// most did not: a campaign that hits nothing proves nothing.
func (w *world) everyFaultStruck(victims []*victim) {
	w.t.Helper()
	planned, struck := make(map[string]int), make(map[string]int)
	for _, v := range victims {
		for _, s := range v.plan {
			planned[s.name]++
		}
		for kind, n := range v.struck {
			struck[kind] += n
		}
	}
	all, hits := 0, 0
	for _, kind := range slices.Sorted(maps.Keys(planned)) {
		w.t.Logf("campaign: %s struck %d times of %d", kind, struck[kind], planned[kind])
		if struck[kind] == 0 && planned[kind] >= oftenPlanned {
			w.t.Errorf("%s never struck", kind)
		}
		all, hits = all+planned[kind], hits+struck[kind]
	}
	if 3*hits < 2*all {
		w.t.Errorf("%d of %d faults struck", hits, all)
	}
}

// strike is the fault of one cycle. Everything about it comes from the seed.
type strike struct {
	kind
	// lull is how long the replica works before, hold how long it lasts.
	lull, hold time.Duration
	// bytes of a COPY come before it; nth session is hit.
	bytes int64
	nth   int
}

// plan draws the cycles of each replica from the seed. All kinds come about
// equally often, in random order.
func plan(seed uint64, cycles, replicas int) [][]strike {
	random := rand.New(rand.NewPCG(seed, 0))
	var drawn []kind
	for len(drawn) < cycles {
		for _, i := range random.Perm(len(kinds())) {
			drawn = append(drawn, kinds()[i])
		}
	}
	drawn = drawn[:cycles]
	random.Shuffle(cycles, func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	plans := make([][]strike, replicas)
	for i, k := range drawn {
		plans[i%replicas] = append(plans[i%replicas], strike{
			kind:  k,
			lull:  time.Duration(random.IntN(400)) * time.Millisecond,
			hold:  time.Duration(100+random.IntN(2000)) * time.Millisecond,
			bytes: int64(random.IntN(500)),
			nth:   random.IntN(100),
		})
	}
	return plans
}

// kind is a kind of fault. It tells whether it struck.
type kind struct {
	name string
	do   func(*victim, context.Context, strike) (bool, error)
}

func kinds() []kind {
	return []kind{
		{"kill -9", (*victim).kill},
		{"kill -9 in a stalled COPY", (*victim).zombie},
		{"SIGSTOP", (*victim).stop},
		{"SIGSTOP beyond the session", (*victim).outlive},
		{"SIGTERM", (*victim).terminate},
		{"cut before COMMIT", (*victim).cutBeforeCommit},
		{"cut after COMMIT", (*victim).cutAfterCommit},
		{"cut in COPY", (*victim).cutInCopy},
		{"stall in COPY", (*victim).stallInCopy},
		{"stall before COMMIT", (*victim).stallBeforeCommit},
		{"stall after COMMIT", (*victim).stallAfterCommit},
		{"database away", (*victim).refuse},
		{"network lost", (*victim).freeze},
		{"backend terminated", (*victim).endBackend},
	}
}
