package stream

import (
	"testing"

	"github.com/sinkd/sinkd"
)

// A fetch is answered after its queue was set back, or was dropped: what it
// brought would land behind a hole, or under another claim.
func TestAnswerForAnotherTailIsDropped(t *testing.T) {
	l := newTestLane(1000)
	q := l.with(0, 100)
	answer := &piece{records: sinkd.RecordsOf(records(0, 100, 50)...), next: 150}
	q.wait.tries, q.wait.retry = 10, q.born.Add(1<<40)
	l.waits = true
	q.shed(800)
	if q.tail >= 100 {
		t.Fatalf("the queue still goes on at %d", q.tail)
	}
	tail, held := q.tail, q.records.Len()
	if n := q.push(100, answer); n != 0 || q.tail != tail || q.records.Len() != held {
		t.Errorf("an answer at 100 was taken at %d", tail)
	}
	if n := q.push(tail, &piece{records: sinkd.RecordsOf(records(0, tail, 50)...), next: tail + 50}); n == 0 || q.tail != tail+50 {
		t.Errorf("an answer at %d was not", tail)
	}
	l.drop(q)
	if n := q.push(q.tail, answer); n != 0 || q.records.Len() != 0 {
		t.Error("a dropped queue took an answer")
	}
}
