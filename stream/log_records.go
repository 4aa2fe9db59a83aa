package stream

import (
	"fmt"

	"github.com/sinkd/sinkd"
)

// take makes records of the sections, from next on, and moves next behind them. It
// fails at one whose bytes are no records.
func (p *piece) take(sections []section, c *sinkd.Chunk) (err error) {
	for i := range sections {
		s := &sections[i]
		if s.data && !c.Add(s.batch(p.next)) {
			err = fmt.Errorf("%w at offset %d: not all of its bytes are records", errCorrupt, s.FirstOffset)
			break
		}
		p.next, p.epoch = max(p.next, s.last()+1), s.PartitionLeaderEpoch
	}
	p.records = c.Records()
	return err
}

// batch is what a chunk has to know of the section.
func (s *section) batch(at int64) sinkd.LogBatch {
	b := sinkd.LogBatch{
		First: s.FirstOffset, From: at, Millis: s.FirstTimestamp, Epoch: s.PartitionLeaderEpoch,
		Count: int(s.NumRecords), Start: s.start, End: s.end,
	}
	if s.Attributes&appendTime != 0 {
		b.Millis, b.Stamped = s.MaxTimestamp, true
	}
	return b
}

// marksAbort tells that the batch, a marker, ends a transaction that was aborted.
// Markers are not compressed.
func (s *section) marksAbort(in []byte) bool {
	c := sinkd.NewChunk(sinkd.Partition{}, in, 1)
	if !c.Add(s.batch(0)) || c.Records().Len() == 0 {
		return false
	}
	// Version and type, two bytes each; type 0 is an abort.
	key := c.Records().At(0).Key
	return len(key) >= 4 && key[2] == 0 && key[3] == 0
}

// aborts are the aborted transactions that a fetch lists: of each producer their
// first offsets, in order.
type aborts map[int64][]int64

// pass says in the sections which of them have data.
func (a aborts) pass(sections []section, in []byte) {
	for i := range sections {
		s := &sections[i]
		if s.Attributes&control == 0 {
			s.data = !a.cover(s)
		} else if s.marksAbort(in) {
			a.end(s)
		}
	}
}

// cover tells whether the batch is of an aborted transaction.
func (a aborts) cover(s *section) bool {
	firsts := a[s.ProducerID]
	return s.Attributes&transactional != 0 && len(firsts) > 0 && firsts[0] <= s.FirstOffset
}

// end is told of the marker that ends an aborted transaction.
func (a aborts) end(s *section) {
	if a.cover(s) {
		a[s.ProducerID] = a[s.ProducerID][1:]
	}
}
