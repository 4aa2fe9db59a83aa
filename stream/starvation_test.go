package stream

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestManyWaitForOneParent: more partitions of a lane try again than it has
// turns, and the one that they wait for gets its own.
func TestManyWaitForOneParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{needs: map[int64]int64{0: 0}}
		l, parent, _ := work(t, k)
		var waiting []*queue
		for id := range int32(100) {
			waiting = append(waiting, l.with(children+1+id, 0))
			feed(l, waiting[id], 0, 3)
		}
		time.Sleep(10 * time.Second)
		feed(l, parent, 0, 1)
		began := time.Now()
		for parent.position() == 0 {
			time.Sleep(10 * time.Millisecond)
			if time.Since(began) > 2*time.Second {
				t.Fatal("the parent does not land: what waits for it takes all turns")
			}
		}
		time.Sleep(time.Minute)
		for _, q := range waiting {
			if q.position() != 3 {
				t.Errorf("%s does not get a turn", q.claim)
			}
		}
	})
}

// TestSlowParentsAreWaitedForOneByOne: a record that is read early is not bad
// because others had to wait before it.
func TestSlowParentsAreWaitedForOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keeper{needs: map[int64]int64{0: 0, 1: 1, 2: 2, 3: 3, 4: 4}}
		l, parent, child := work(t, k)
		feed(l, child, 0, 5)
		for i := range int64(5) {
			time.Sleep(12 * time.Second)
			feed(l, parent, i, 1)
		}
		time.Sleep(12 * time.Second)
		k.expect([]int64{0, 1, 2, 3, 4}, nil)
		rest(t, l)
	})
}

// TestWaitingQueuesLeaveMemoryToOthers: what waiting queues hold, few or many,
// keeps nobody from reading for others.
func TestWaitingQueuesLeaveMemoryToOthers(t *testing.T) {
	for _, n := range []int32{1, 10, 200} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			l := newTestLane(1000)
			l.flow.lanes = []*lane{l}
			f := newFetcher(l.flow)
			other := l.with(0, 0)
			for id := int32(1); id <= n; id++ {
				q := l.with(id, 0)
				feed(l, q, 0, 1000)
				q.wait = patience{retry: time.Now().Add(time.Hour), tries: 10}
			}
			l.waits = true
			l.flow.budget.limit = l.flow.budget.used.Load()
			f.regulate()
			if l.flow.budget.spent() {
				t.Errorf("nothing is read for others: %d of %d bytes are held", l.flow.budget.used.Load(), l.flow.budget.limit)
			}
			if reads, _ := l.hungry(time.Now()); len(reads) != 1 || reads[0].queue != other {
				t.Errorf("%d queues are read for, want the one that does not wait", len(reads))
			}
		})
	}
}

// TestTryStandsAlone: markers of others would make a refused try a batch to be
// split.
func TestTryStandsAlone(t *testing.T) {
	l := newTestLane(10)
	q := l.with(0, 5)
	q.wait = patience{retry: time.Now(), tries: 1}
	l.with(1, 0).skipTo(7)
	if b := l.cut().batch; len(b.Ranges) != 1 || b.Records() != 1 {
		t.Errorf("a try of %d ranges with %d records", len(b.Ranges), b.Records())
	}
	if b := l.cut().batch; len(b.Ranges) != 1 || b.Ranges[0].Until != 7 {
		t.Error("the markers do not get their turn")
	}
}
