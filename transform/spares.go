package transform

import (
	"slices"

	"github.com/sinkd/sinkd"
)

const (
	// maxSpares bounds the buffers that wait for their next use.
	maxSpares = 8
	// largeBuffer is the size from which on a buffer has to be used well to be
	// kept: one giant batch must not hold memory for ever.
	largeBuffer = 1 << 20
	// maxSpareBytes bounds what all that wait hold.
	maxSpareBytes = 32 << 20
)

// spares are buffers of batches that landed.
type spares struct {
	bufs [][]byte
	rows [][]sinkd.RowRef
	// numbers are lists of rows.
	numbers [][]int32
	// held is the capacity of bufs.
	held int
}

// get gives empty buffers: the smallest that hold size bytes, else the largest;
// none that so few bytes would keep put from taking back. Nil where there are none.
func (s *spares) get(size int) ([]byte, []sinkd.RowRef) {
	best := -1
	for i, buf := range s.bufs {
		if best < 0 || closer(cap(buf), cap(s.bufs[best]), size) {
			best = i
		}
	}
	if best < 0 || wasteful(cap(s.bufs[best]), size) && size > 0 {
		return nil, nil
	}
	buf, row := s.bufs[best], s.rows[best]
	s.held -= cap(buf)
	s.bufs, s.rows = slices.Delete(s.bufs, best, best+1), slices.Delete(s.rows, best, best+1)
	return buf, row
}

// closer tells whether a buffer of size a serves better than one of size b.
func closer(a, b, size int) bool {
	if a >= size && b >= size {
		return a < b
	}
	return a > b
}

// number gives an empty list of rows.
func (s *spares) number() (list []int32) {
	if n := len(s.numbers); n > 0 {
		list, s.numbers = s.numbers[n-1], s.numbers[:n-1]
	}
	return list
}

// put takes the buffers of rows that nobody reads any more.
func (s *spares) put(rows *sinkd.Rows) {
	if rows.Repeated != nil && len(s.numbers) < maxSpares {
		s.numbers = append(s.numbers, rows.Repeated[:0])
	}
	size := cap(rows.Buf)
	if size == 0 || len(s.bufs) == maxSpares || s.held+size > maxSpareBytes {
		return
	}
	if wasteful(size, len(rows.Buf)) {
		return
	}
	s.held += size
	s.bufs = append(s.bufs, rows.Buf[:0])
	s.rows = append(s.rows, rows.Row[:0])
}

// wasteful tells that a buffer of that size is too large to hold used bytes.
func wasteful(size, used int) bool { return size > largeBuffer && used < size/8 }
