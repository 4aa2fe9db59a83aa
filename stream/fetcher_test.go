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

// Of the partitions with much to read one is asked for at a time, in turn and for as
// much as a fetch brings; those with little beside it.
func TestDeepPartitionsAreAskedForOneByOne(t *testing.T) {
	f := newTestFetcher(6)
	for id := range int32(6) {
		if q := f.flow.lanes[id%2].with(id, 0); id < 4 {
			q.known = q.tail + deepBacklog
		}
	}
	f.growth.seen("t", 1, 1)
	asked := make(map[int32]int)
	last := int32(-1)
	for range 40 {
		reads := f.hungry(time.Now())[7]
		if len(reads) != 3 {
			t.Fatalf("%d are asked for, want one and two", len(reads))
		}
		if e := f.extent(nil); e.wait != soonWait {
			t.Errorf("it may wait %s while there is more to read", e.wait)
		}
		for _, r := range reads {
			spots := []spot{r.spot}
			f.growth.bound(spots, 1)
			switch asked[r.ID]++; {
			case r.ID >= 4 && int64(spots[0].bytes) != f.growth.partition, r.ID < 4 && int64(spots[0].bytes) != f.growth.most:
				t.Errorf("partition %d is asked for %d bytes", r.ID, spots[0].bytes)
			case r.ID < 4 && r.ID%2 == last:
				t.Errorf("partition %d is of the lane that was asked for last", r.ID)
			case r.ID < 4:
				last = r.ID % 2
			}
		}
		f.done(7, reads)
	}
	for id := range int32(6) {
		if want := map[bool]int{true: 10, false: 40}[id < 4]; asked[id] != want {
			t.Errorf("partition %d was asked for %d times, want %d", id, asked[id], want)
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
