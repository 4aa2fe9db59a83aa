package stream

import "time"

// sizer adapts how many records a batch may hold to the time that its commit
// takes: it starts at the most, halves where a full batch took longer than the
// target, and grows by a tenth of the most where it did not. After Postgres
// refused a batch for its data it stays small until three have landed.
type sizer struct {
	most, limit int
	target      time.Duration
	// clean counts down the batches that have to land before the size is free
	// again after a split.
	clean int
}

// smallBatch bounds batches after a split.
const smallBatch = 250

func newSizer(most int, target time.Duration) *sizer {
	return &sizer{most: most, limit: most, target: target}
}

// size is the most records that the next batch may hold.
func (s *sizer) size() int {
	if s.clean > 0 {
		return min(s.limit, smallBatch)
	}
	return s.limit
}

// landed tells the time that a batch of n records took to commit.
func (s *sizer) landed(n int, took time.Duration) {
	if s.clean > 0 {
		s.clean--
		return
	}
	switch {
	case took > s.target && n > s.limit/2:
		s.limit = max(s.limit/2, min(100, s.most))
	case took <= s.target && n >= s.limit:
		s.limit = min(s.limit+max(s.most/10, 1), s.most)
	}
}

// split tells that a batch was refused for its data.
func (s *sizer) split() { s.clean = 3 }
