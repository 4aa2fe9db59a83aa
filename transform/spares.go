package transform

import "github.com/sinkd/sinkd"

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
	// held is the capacity of bufs.
	held int
}

// get gives empty buffers.
func (s *spares) get() ([]byte, []sinkd.RowRef) {
	n := len(s.bufs) - 1
	if n < 0 {
		return make([]byte, 0, 4096), nil
	}
	buf, row := s.bufs[n], s.rows[n]
	s.held -= cap(buf)
	s.bufs, s.rows = s.bufs[:n], s.rows[:n]
	return buf, row
}

// put takes the buffers of rows that nobody reads any more.
func (s *spares) put(rows *sinkd.Rows) {
	size := cap(rows.Buf)
	if size == 0 || len(s.bufs) == maxSpares || s.held+size > maxSpareBytes {
		return
	}
	if size > largeBuffer && len(rows.Buf) < size/8 {
		return
	}
	s.held += size
	s.bufs = append(s.bufs, rows.Buf[:0])
	s.rows = append(s.rows, rows.Row[:0])
}
