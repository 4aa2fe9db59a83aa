package stream

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sinkd/sinkd"
)

// newTestLane makes a lane that nobody works, for what it decides by itself.
func newTestLane(records int) *lane {
	f := &Flow{cfg: Config{
		BatchRecords: records, BatchBytes: 1 << 20, BatchInterval: 200 * time.Millisecond,
		NewEncoder: func() Encoder { return nil },
	}, budget: newBudget(1 << 30)}
	return newLane(f, 0)
}

func records(id int32, from int64, n int) []*sinkd.Record {
	out := make([]*sinkd.Record, n)
	for i := range out {
		out[i] = &sinkd.Record{Topic: "t", Partition: id, Offset: from + int64(i), Value: []byte("1234567890")}
	}
	return out
}

func (l *lane) with(id int32, n int) *queue {
	q := l.open(&claimed{claim: &sinkd.Claim{Partition: sinkd.Partition{Topic: "t", ID: id}, Epoch: -1}})
	if n > 0 {
		q.bring(records(id, 0, n)...)
	}
	return q
}

// bring pushes records as a fetch at the queue's tail brings them.
func (q *queue) bring(recs ...*sinkd.Record) int64 {
	return q.push(q.tail, &piece{records: sinkd.RecordsOf(recs...), next: recs[len(recs)-1].Offset + 1, epoch: -1})
}

// skipTo pushes what a fetch brings that finds markers only.
func (q *queue) skipTo(next int64) { q.push(q.tail, &piece{next: next, epoch: -1}) }

func TestBatchTakesFairShares(t *testing.T) {
	l := newTestLane(100)
	l.with(0, 1000)
	l.with(1, 10)
	l.with(2, 1000)
	fl := l.cut()
	got := make(map[int32]int)
	for _, r := range fl.batch.Ranges {
		got[r.Claim.ID] = r.Records.Len()
	}
	if got[1] != 10 || got[0]+got[2] != 90 || got[0] < 44 || got[0] > 46 {
		t.Errorf("shares %v, want 45, 10, 45", got)
	}
	if l.queued != 2010-100 {
		t.Errorf("%d records queued after the cut, want 1910", l.queued)
	}
}

func TestRangesFollowEachOther(t *testing.T) {
	l := newTestLane(7)
	q := l.with(0, 20)
	next := int64(0)
	for range 3 {
		for _, r := range l.cut().batch.Ranges {
			if r.From != next {
				t.Fatalf("range from %d after %d", r.From, next)
			}
			next = r.Until
		}
	}
	if next != 20 || q.records.Len() != 0 {
		t.Errorf("taken up to %d, %d left", next, q.records.Len())
	}
}

func TestMarkersMoveTheRangeOnly(t *testing.T) {
	l := newTestLane(100)
	q := l.with(0, 3)
	q.skipTo(4)
	r := l.cut().batch.Ranges[0]
	if r.Records.Len() != 3 || r.Until != 4 {
		t.Errorf("%d records in [%d,%d), want 3 in [0,4)", r.Records.Len(), r.From, r.Until)
	}
}

func TestRangeWithoutRecordsLandsOnceASecond(t *testing.T) {
	l := newTestLane(100)
	q := l.with(0, 0)
	q.moved = time.Now()
	q.skipTo(10)
	if due, _ := l.due(time.Now()); due {
		t.Error("a range without records is due at once")
	}
	if due, _ := l.due(time.Now().Add(1100 * time.Millisecond)); !due {
		t.Error("a range without records is not due after a second")
	}
	l.draining = true
	if due, _ := l.due(time.Now()); !due {
		t.Error("a range without records is not due on drain")
	}
}

func TestBatchIsDueByIntervalOrSize(t *testing.T) {
	l := newTestLane(100)
	q := l.with(0, 1)
	now := time.Now()
	if due, _ := l.due(now); !due {
		t.Error("the first record after a quiet time is not due at once")
	}
	l.ended = now
	if due, at := l.due(now); due || at.Sub(now) != 200*time.Millisecond {
		t.Errorf("due %v, in %v; want in 200ms", due, at.Sub(now))
	}
	l.flights = []*flight{{}}
	if due, _ := l.due(now.Add(time.Minute)); due {
		t.Error("a batch that is not full is due while another is under way")
	}
	q.bring(records(0, 1, 99)...)
	if due, _ := l.due(now); !due {
		t.Error("a full batch is not due")
	}
}

func TestLastBatchOfACatchUpWaitsForNothing(t *testing.T) {
	l := newTestLane(100)
	q := l.with(0, 5)
	l.flow.cfg.UntilCaughtUp = true
	l.flow.caught = &caughtUp{targets: map[sinkd.Partition]int64{q.claim.Partition: 8}}
	l.ended = time.Now()
	if due, _ := l.due(l.ended); due {
		t.Error("a batch is due before its target is queued")
	}
	q.bring(records(0, 5, 3)...)
	if due, _ := l.due(l.ended); !due {
		t.Error("the batch with the target in it is not due at once")
	}
	l.flights = []*flight{{}}
	if due, _ := l.due(l.ended); !due {
		t.Error("it is not due while another one is under way")
	}
}

// eager notes what a lane asks for before it has a record.
type eager struct {
	keeper
	blank
	Catalog
	lanes    []int
	asked    []string
	supplied []string
}

func (e *eager) Connect(_ context.Context, lane int) error {
	e.lanes = append(e.lanes, lane)
	return nil
}

func (e *eager) Table(_ context.Context, topic string) (*sinkd.Table, error) {
	e.asked = append(e.asked, topic)
	if topic == "refused" {
		return nil, &sinkd.Error{Class: sinkd.Configuration, Err: errors.New("no table")}
	}
	return &sinkd.Table{}, nil
}

func (e *eager) Supply(topic string, _ *sinkd.Table) error {
	e.supplied = append(e.supplied, topic)
	return nil
}

// A lane has its session, and the tables of few topics, before its first record.
func TestLaneIsReadyBeforeItsFirstRecord(t *testing.T) {
	for _, c := range []struct{ topics, asked, supplied []string }{
		{[]string{"a", "absent", "b"}, []string{"a", "b"}, []string{"a", "b"}},
		{[]string{"a", "refused", "b"}, []string{"a", "refused"}, []string{"a"}},
		{[]string{"a", "b", "c", "d", "e"}, nil, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := &eager{}
			l, _, _ := workOn(t, &e.keeper, func(f *Flow) {
				f.cfg.Store, f.cfg.Catalog, f.cfg.NewEncoder = e, e, func() Encoder { return e }
				f.cfg.Topics, f.present = c.topics, map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true, "refused": true}
			})
			synctest.Wait()
			if !slices.Equal(e.lanes, []int{l.id}) || !slices.Equal(e.asked, c.asked) || !slices.Equal(e.supplied, c.supplied) {
				t.Errorf("%v: sessions of lanes %v, tables of %v asked for, of %v supplied", c.topics, e.lanes, e.asked, e.supplied)
			}
		})
	}
}

func TestBatchIsBoundedByBytes(t *testing.T) {
	l := newTestLane(100)
	l.flow.cfg.BatchBytes = 5*13 + 5
	l.with(0, 20)
	l.with(1, 20)
	fl := l.cut()
	if n := fl.batch.Records(); n != 5 {
		t.Errorf("%d records of 10 bytes, and 3 for their parts' lengths, in a batch of 70, want 5", n)
	}
}

func TestDroppedQueueGivesItsMemoryBack(t *testing.T) {
	l := newTestLane(10)
	q := l.with(0, 0)
	l.flow.budget.add(q.bring(records(0, 0, 25)...))
	fl := l.cut()
	l.drop(q)
	if !l.lost(q.claim) {
		t.Error("a dropped claim is not lost")
	}
	l.finish(fl)
	if used := l.flow.budget.used.Load(); used != 0 {
		t.Errorf("%d bytes are still held", used)
	}
	if l.queued != 0 || l.weight != 0 {
		t.Errorf("%d records, %d bytes are still queued", l.queued, l.weight)
	}
}

func TestBudgetIsSpentAtItsLimit(t *testing.T) {
	b := newBudget(100)
	if b.add(99); b.spent() {
		t.Error("it is spent below its limit")
	}
	if b.add(1); !b.spent() {
		t.Error("it is not spent at its limit")
	}
}

func TestSizer(t *testing.T) {
	s := newSizer(1000, time.Second)
	s.landed(1000, 2*time.Second)
	if s.size() != 500 {
		t.Errorf("size %d after a slow batch, want 500", s.size())
	}
	s.landed(500, time.Millisecond)
	if s.size() != 600 {
		t.Errorf("size %d after a quick one, want 600", s.size())
	}
	s.landed(10, 2*time.Second)
	if s.size() != 600 {
		t.Errorf("size %d after a slow batch that was not full, want 600", s.size())
	}
	big := newSizer(50000, time.Second)
	big.split()
	for i := range 3 {
		if big.size() != smallBatch {
			t.Errorf("size %d after a split and %d clean batches", big.size(), i)
		}
		big.landed(10, 0)
	}
	if big.size() != 50000 {
		t.Errorf("size %d after three clean batches", big.size())
	}
}
