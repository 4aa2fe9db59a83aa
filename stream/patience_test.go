package stream

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
)

// The partitions of a keeper: children refer to parents.
const (
	parents  int32 = 0
	children int32 = 1
)

// keeper is a store with a foreign key: it takes a child, which is what other
// partitions than the parents' hold, only where its parent is there or in the
// same batch, and checks that ranges follow each other.
type keeper struct {
	Store
	t *testing.T
	// needs gives the parent's offset of a child's; of children, if own says so.
	needs map[int64]int64
	own   bool

	mu     sync.Mutex
	next   map[int32]int64
	landed map[int32][]int64
	when   map[int64]time.Time // of children
	dead   []int64
	// refused counts batches, mixed those of them with several partitions.
	refused, mixed int
}

func (*keeper) Connect(context.Context, int) error { return nil }

func (k *keeper) Apply(_ context.Context, _ int, b *sinkd.Batch) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range b.Ranges {
		if r.From != k.next[r.Claim.ID] {
			k.t.Errorf("partition %d: a range from %d, the position is %d", r.Claim.ID, r.From, k.next[r.Claim.ID])
		}
		for _, rec := range r.Records.All() {
			if r.Claim.ID != parents && len(b.Dead) == 0 && !k.has(b, rec.Offset) {
				k.refused++
				if len(b.Ranges) > 1 {
					k.mixed++
				}
				return &sinkd.Error{Class: sinkd.Data, Wait: true, SQLState: "23503", Table: "public.c", Err: errors.New("no parent")}
			}
		}
	}
	for _, r := range b.Ranges {
		k.next[r.Claim.ID] = r.Until
		for _, rec := range r.Records.All() {
			if len(b.Dead) > 0 {
				k.dead = append(k.dead, rec.Offset)
				continue
			}
			k.landed[r.Claim.ID] = append(k.landed[r.Claim.ID], rec.Offset)
			if r.Claim.ID == children {
				k.when[rec.Offset] = time.Now()
			}
		}
	}
	return nil
}

// has tells whether the child's parent is there.
func (k *keeper) has(b *sinkd.Batch, child int64) bool {
	parent, needs := k.needs[child]
	if !needs {
		return true
	}
	of := parents
	if k.own {
		of = children
	}
	for _, r := range b.Ranges {
		if r.Claim.ID == of && parent >= r.From && parent < r.Until {
			return true
		}
	}
	return slices.Contains(k.landed[of], parent)
}

// blank encodes nothing.
type blank struct{}

func (blank) Encode(*sinkd.Batch) []sinkd.Need  { return nil }
func (blank) Supply(string, *sinkd.Table) error { return nil }
func (blank) Recycle(*sinkd.Batch)              {}

// work runs a lane over the keeper until the test ends.
func work(t *testing.T, k *keeper) (l *lane, parent, child *queue) {
	t.Helper()
	return workOn(t, k, func(*Flow) {})
}

// workOn is work where the flow is changed before.
func workOn(t *testing.T, k *keeper, change func(*Flow)) (l *lane, parent, child *queue) {
	t.Helper()
	k.t, k.next, k.landed, k.when = t, map[int32]int64{}, map[int32][]int64{}, map[int64]time.Time{}
	f := &Flow{
		cfg: Config{
			BatchRecords: 1000, BatchBytes: 1 << 20, BatchInterval: 200 * time.Millisecond, BatchTarget: time.Second,
			ForeignKeyWait: 30 * time.Second, Store: k, NewEncoder: func() Encoder { return blank{} },
		},
		budget: newBudget(1 << 30), metrics: NewMetrics(prometheus.NewRegistry(), "p"), log: slog.New(slog.DiscardHandler),
		enough: make(chan struct{}), assigned: assignment{parts: map[sinkd.Partition]*part{}},
	}
	change(f)
	f.health, f.caught = newHealth(f), newCaughtUp(f)
	l = newLane(f, 0)
	f.lanes = []*lane{l}
	ctx, stop := context.WithCancel(t.Context())
	handover := make(chan *flight)
	var work sync.WaitGroup
	work.Go(func() { l.build(ctx, handover) })
	work.Go(func() { l.apply(ctx, handover) })
	t.Cleanup(func() { stop(); work.Wait() })
	return l, l.with(parents, 0), l.with(children, 0)
}

// feed pushes records, as the fetcher does.
func feed(l *lane, q *queue, from int64, n int) {
	if q.tail == from {
		l.flow.budget.add(q.bring(records(q.claim.ID, from, n)...))
	}
}

func (k *keeper) expect(children, dead []int64) {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if !slices.Equal(k.landed[1], children) || !slices.Equal(k.dead, dead) {
		k.t.Errorf("children %v landed, %v are dead; want %v, %v", k.landed[1], k.dead, children, dead)
	}
}

// rest checks that nothing is held any more.
func rest(t *testing.T, l *lane) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if used := l.flow.budget.used.Load(); used != 0 || l.queued != 0 || l.weight != 0 || len(l.flights) != 0 {
		t.Errorf("%d bytes are held, %d records and %d bytes queued, %d batches under way", used, l.queued, l.weight, len(l.flights))
	}
}

func TestMissingParentIsWaitedForByItsPartitionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{needs: map[int64]int64{5: 3, 8: 4}}
		l, parent, child := work(t, k)
		began := time.Now()
		feed(l, parent, 0, 3)
		feed(l, child, 0, 10)
		time.Sleep(2 * time.Second)
		k.expect([]int64{0, 1, 2, 3, 4}, nil)
		if parent.position() != 3 {
			t.Error("the parents were held up")
		}
		if child.waiting() == nil {
			t.Error("the partition does not say that it waits")
		}
		feed(l, parent, 3, 1)
		time.Sleep(11 * time.Second) // the next try may take more than the one record, and be refused
		k.expect([]int64{0, 1, 2, 3, 4, 5, 6, 7}, nil)
		feed(l, parent, 4, 1)
		time.Sleep(10 * time.Second)
		k.expect([]int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, nil)
		if late := k.when[5].Sub(began); late > 13*time.Second {
			t.Errorf("the first child landed after %s", late)
		}
		rest(t, l)
	})
}

// TestTriesAreFewAndAlone: the batches of others do not carry what waits, and
// what waits is not taken apart again and again.
func TestTriesAreFewAndAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{needs: map[int64]int64{0: 9999}}
		l, parent, child := work(t, k)
		feed(l, child, 0, 500)
		const others, pace = 280, 100 * time.Millisecond
		for i := range int64(others) {
			feed(l, parent, i, 1)
			time.Sleep(pace)
		}
		// A batch each interval, at most every other one a try; the record that
		// comes as one is taken waits for the next.
		behind := int64(2*l.flow.cfg.BatchInterval/pace) + 1
		if parent.position() < others-behind {
			t.Errorf("the other partition is at %d", parent.position())
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.mixed > 1 || k.refused > 35 {
			t.Errorf("%d batches were refused, %d of them held others", k.refused, k.mixed)
		}
	})
}

// TestParentMayBeInTheSamePartition: what a split took apart, a deferred
// constraint may want together.
func TestParentMayBeInTheSamePartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{needs: map[int64]int64{2: 4}, own: true}
		l, _, child := work(t, k)
		feed(l, child, 0, 3)
		time.Sleep(time.Second)
		feed(l, child, 3, 3)
		time.Sleep(10 * time.Second)
		k.expect([]int64{0, 1, 2, 3, 4, 5}, nil)
		rest(t, l)
	})
}

// TestMissingParentIsBadDataInTheEnd: the time counts once for all that was
// read by the first refusal, and anew for what comes later.
func TestMissingParentIsBadDataInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{needs: map[int64]int64{1: 99, 3: 99, 6: 99}}
		l, parent, child := work(t, k)
		feed(l, child, 0, 5)
		time.Sleep(29 * time.Second)
		k.expect([]int64{0}, nil)
		feed(l, parent, 0, 1)
		time.Sleep(2 * time.Second)
		k.expect([]int64{0, 2, 4}, []int64{1, 3})
		feed(l, child, 5, 3)
		time.Sleep(29 * time.Second)
		k.expect([]int64{0, 2, 4, 5}, []int64{1, 3})
		time.Sleep(2 * time.Second)
		k.expect([]int64{0, 2, 4, 5, 7}, []int64{1, 3, 6})
		rest(t, l)
	})
}

// TestWaitingQueueGivesMemoryUp: what was shed is read again, and lands in order.
func TestWaitingQueueGivesMemoryUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{needs: map[int64]int64{2: 0}}
		l, parent, child := work(t, k)
		feed(l, child, 0, 100)
		time.Sleep(5 * time.Second)
		if child.shed(1 << 30); child.tail != 100 {
			t.Error("a queue shed what it may keep")
		}
		// Between two tries, so that all is in the queue.
		for range 10000 {
			if child.shed(800); child.tail < 100 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if held := l.flow.budget.used.Load(); held > 1000 || child.held != held {
			t.Errorf("%d bytes are still held, %d in the queue", held, child.held)
		}
		n := child.records.Len()
		if size := child.records.Size(n) + int64(n)*sinkd.RefSize; child.records.Held(n) < size { // else they keep a chunk uncounted
			t.Errorf("%d records of %d bytes hold %d", n, size, child.records.Held(n))
		}
		tail := child.tail
		if tail < 5 || tail > 20 {
			t.Errorf("the queue goes on at %d", tail)
		}
		feed(l, parent, 0, 1)
		time.Sleep(6 * time.Second)
		feed(l, child, tail, int(100-tail))
		time.Sleep(time.Second)
		want := make([]int64, 100)
		for i := range want {
			want[i] = int64(i)
		}
		k.expect(want, nil)
		rest(t, l)
	})
}

func TestNothingIsWaitedForWhereThatIsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{needs: map[int64]int64{1: 99}}
		l, _, child := work(t, k)
		l.flow.cfg.ForeignKeyWait = 0
		feed(l, child, 0, 3)
		time.Sleep(time.Second)
		k.expect([]int64{0, 2}, []int64{1})
	})
}

// TestDrainWaitsForNoParent: what waits is left in Kafka.
func TestDrainWaitsForNoParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{needs: map[int64]int64{1: 99}}
		l, parent, child := work(t, k)
		feed(l, child, 0, 3)
		time.Sleep(10 * time.Second)
		feed(l, parent, 0, 1)
		began := time.Now()
		l.drain()
		for {
			k.mu.Lock()
			landed := k.next[parents] == 1
			k.mu.Unlock()
			if landed {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the drain took %s", took)
		}
		k.expect([]int64{0}, nil)
	})
}

// TestDroppedWhileItWaits gives a partition up in the middle.
func TestDroppedWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{needs: map[int64]int64{1: 99}}
		l, _, child := work(t, k)
		feed(l, child, 0, 30)
		time.Sleep(3 * time.Second)
		l.drop(child)
		time.Sleep(time.Minute)
		k.expect([]int64{0}, nil)
		rest(t, l)
	})
}
