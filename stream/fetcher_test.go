package stream

import (
	"testing"
	"time"

	"github.com/sinkd/sinkd"
)

// newTestFetcher makes a fetcher for two lanes, all of whose partitions are led
// by one broker.
func newTestFetcher(partitions int32) *fetcher {
	l := newTestLane(100)
	other := newLane(l.flow, 1)
	l.flow.lanes = []*lane{l, other}
	f := newFetcher(l.flow)
	f.leaders.at = make(map[sinkd.Partition]leader)
	for id := range partitions {
		f.leaders.at[sinkd.Partition{Topic: "t", ID: id}] = leader{broker: 7}
	}
	return f
}

// wanted tells which partitions are asked for, in order, of the one broker.
func (f *fetcher) wanted(t *testing.T) (ids []int32) {
	t.Helper()
	reads := f.hungry(time.Now())
	for broker, of := range reads {
		if broker != 7 {
			t.Errorf("broker %d is asked", broker)
		}
		for _, r := range of {
			ids = append(ids, r.ID)
		}
		f.done(broker, of)
	}
	return ids
}

// Brokers give of the first what they can: each partition comes first now and
// then, and behind it one of the other lane.
func TestPartitionsAreAskedForInTurn(t *testing.T) {
	f := newTestFetcher(6)
	for id := range int32(6) {
		f.flow.lanes[id%2].with(id, 0)
	}
	first := make(map[int32]int)
	for range 60 {
		ids := f.wanted(t)
		if len(ids) != 6 || ids[0]%2 == ids[1]%2 {
			t.Fatalf("asked for %v", ids)
		}
		first[ids[0]]++
	}
	for id := range int32(6) {
		if first[id] != 10 {
			t.Errorf("partition %d came first %d times, want 10", id, first[id])
		}
	}
}

// Partitions that are behind are asked for in turn, as many as a fetch brings
// something of, the lanes' by turns; those that are not, each time.
func TestPartitionsBehindAreAskedForInTurn(t *testing.T) {
	for _, c := range []struct {
		behind int64
		window int
	}{{1 << 40, 1}, {fetchBacklog, 1}, {fetchBacklog/2 - 1, 3}, {1, 4}} {
		f := newTestFetcher(6)
		for id := range int32(6) {
			if q := f.flow.lanes[id%2].with(id, 0); id < 4 {
				q.known = q.tail + c.behind
			}
		}
		first, asked := make(map[int32]int), make(map[int32]int)
		last := int32(-1)
		for range 40 {
			ids := f.wanted(t)
			if e := f.extent(nil); (e.wait == soonWait) != (c.window < 4) {
				t.Errorf("%d behind: it may wait %s", c.behind, e.wait)
			}
			n := 0
			for _, id := range ids {
				if asked[id]++; id >= 4 {
					continue
				}
				if n++; n > 1 {
					continue
				}
				if first[id]++; id%2 == last {
					t.Errorf("%d behind: partition %d is of the lane that came first before", c.behind, id)
				}
				last = id % 2
			}
			if n != c.window || len(ids) != n+2 {
				t.Fatalf("%d behind: asked for %v, want %d of them and those that are not", c.behind, ids, c.window)
			}
		}
		for id := range int32(4) {
			if first[id] != 10 || asked[id] != 10*c.window {
				t.Errorf("%d behind: partition %d was asked for %d times, %d times first", c.behind, id, asked[id], first[id])
			}
		}
	}
}

// A lane that has a batch waiting is not read for, and the others' fetch does not
// keep it waiting once it has cut that.
func TestSatedLaneDoesNotWaitForOthers(t *testing.T) {
	f := newTestFetcher(2)
	sated := f.flow.lanes[0].with(0, 100)
	f.flow.lanes[1].with(1, 0)
	if ids := f.wanted(t); len(ids) != 1 || ids[0] != 1 {
		t.Errorf("asked for %v, want the other lane's", ids)
	}
	if e := f.extent(nil); e.wait != soonWait {
		t.Errorf("it may wait %s, want %s", e.wait, soonWait)
	}
	sated.lane.cut()
	if ids := f.wanted(t); len(ids) != 2 {
		t.Errorf("asked for %v, want both lanes'", ids)
	}
	if e := f.extent(nil); e.wait != fetchWait {
		t.Errorf("it may wait %s, want %s", e.wait, fetchWait)
	}
}

// A queue is asked for by one fetch at a time, and not before its next try is
// due; a broker by one, too.
func TestOneFetchAtATime(t *testing.T) {
	f := newTestFetcher(3)
	q := f.flow.lanes[0].with(0, 0)
	f.flow.lanes[1].with(1, 0)
	late := f.flow.lanes[1].with(2, 0)
	late.cursor.retry = time.Now().Add(time.Hour)
	reads := f.hungry(time.Now())
	if len(reads[7]) != 2 {
		t.Fatalf("%d are asked for, want two", len(reads[7]))
	}
	if again := f.hungry(time.Now()); len(again) != 0 {
		t.Error("the broker is asked while it is asked")
	}
	f.leaders.at[q.claim.Partition] = leader{broker: 8}
	if again := f.hungry(time.Now()); len(again) != 0 {
		t.Error("another broker is asked for a queue that one is asked for")
	}
	f.done(7, reads[7])
	if again := f.hungry(time.Now()); len(again[8]) != 1 || len(again[7]) != 1 {
		t.Errorf("asked for %v, of two leaders", again)
	}
}

// TestTurnsAreOfFetches: looks that ask nobody, since the broker is asked already,
// take no partition's turn.
func TestTurnsAreOfFetches(t *testing.T) {
	f := newTestFetcher(2)
	f.flow.lanes[0].with(0, 0)
	f.flow.lanes[1].with(1, 0)
	first := make(map[int32]int)
	for range 20 {
		reads := f.hungry(time.Now())
		first[reads[7][0].ID]++
		f.hungry(time.Now())
		f.done(7, reads[7])
	}
	if first[0] != 10 || first[1] != 10 {
		t.Errorf("first were %v", first)
	}
}

// TestQueueThatIsAskedForIsNotLookedAt: the fetcher wakes for every push and every
// commit, with all partitions of many brokers under way.
func TestQueueThatIsAskedForIsNotLookedAt(t *testing.T) {
	f := newTestFetcher(1)
	f.flow.lanes[0].with(0, 0)
	reads := f.hungry(time.Now())
	if again, _ := f.flow.lanes[0].hungry(time.Now()); len(again) != 0 {
		t.Error("it is")
	}
	f.done(7, reads[7])
	if again, _ := f.flow.lanes[0].hungry(time.Now()); len(again) != 1 {
		t.Error("it is not looked at any more")
	}
}
