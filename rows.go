package sinkd

// The frame of a binary COPY stream: signature, flags and extension in front, and
// a tuple without fields at the end.
// https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT
const (
	CopyHeader  = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	CopyTrailer = "\xff\xff"
)

// Op is what rows do to their table.
type Op uint8

// The operations. Of the Rows of one table in one batch, those that delete come
// first, those that mark second: a key that was deleted and written anew is in
// both, and the write must not see what was there before.
const (
	// Write: the rows enter the table in the route's mode.
	Write Op = iota
	// Delete: the rows are keys; what the table has under them goes.
	Delete
	// Mark: the rows are keys and the route's deleted column, which what the
	// table has under them gets.
	Mark
)

// Rows are the encoded rows of one batch for one table and one list of
// columns: a whole binary COPY stream, header and trailer included.
type Rows struct {
	Table *Table
	// Route says by which mode, key and version the rows enter the table.
	Route *Route
	Op    Op
	// Columns are the names of the columns that the stream fills, in order.
	// Where the mode has a key, they begin with the key's columns.
	Columns []string
	// Text tells of each of Columns that its fields are the text form of the
	// value, for Postgres to parse, because the type has no binary encoder; nil
	// = of none.
	Text []bool
	// Unfolded tells, of a mode with a key, that a key may be there more than
	// once, in all Rows of the table together: bytes do not decide whether two
	// keys are equal, or a later record of a key lacks columns of one with an
	// older version, which the table's own version may let in or not. The log's
	// order is that of Row's records.
	Unfolded bool
	// Repeated are the numbers of rows, counted from 0 and rising, that stand for
	// several records of their key: the table is likelier to have it than the
	// keys of others. Nil where that is not known.
	Repeated []int32
	Buf      []byte
	// Row tells where each row begins, and which record it came from. Row n of
	// the stream, counted from 1 as COPY reports it, is Row[n-1].
	Row []RowRef
}

// RowRef is one encoded row. It names its record by number, not by pointer: a
// batch has many of them, and the garbage collector need not look at any.
type RowRef struct {
	// Start is the index of the row's first byte in Buf.
	Start int
	// Range and Index are the record's place in the batch.
	Range, Index int32
}

// Tuple gives the bytes of row n, the number of its fields in front.
func (r *Rows) Tuple(n int) []byte {
	end := len(r.Buf) - len(CopyTrailer)
	if n+1 < len(r.Row) {
		end = r.Row[n+1].Start
	}
	return r.Buf[r.Row[n].Start:end]
}

// Part gives the rows that stand for several records apart from the others, each
// in their order. Those are written anew behind spare, which may be nil.
func (r *Rows) Part(spare []byte) (repeated, others *Rows) {
	begin := func(buf []byte) *Rows {
		part := *r
		part.Buf, part.Row, part.Repeated = append(buf, CopyHeader...), nil, nil
		return &part
	}
	repeated, others = begin(nil), begin(spare)
	next := r.Repeated
	for n, row := range r.Row {
		to := others
		if len(next) > 0 && int(next[0]) == n {
			to, next = repeated, next[1:]
		}
		row.Start = len(to.Buf)
		to.Row, to.Buf = append(to.Row, row), append(to.Buf, r.Tuple(n)...)
	}
	repeated.Buf, others.Buf = append(repeated.Buf, CopyTrailer...), append(others.Buf, CopyTrailer...)
	return repeated, others
}

// cut takes rows out of the stream, and answers how long they were.
func (r *Rows) cut(out func(RowRef) bool) int {
	size, kept := 0, r.Row[:0]
	for n, ref := range r.Row {
		tuple := r.Tuple(n)
		if out(ref) {
			size += len(tuple)
			continue
		}
		if ref.Start -= size; size > 0 {
			copy(r.Buf[ref.Start:], tuple)
		}
		kept = append(kept, ref)
	}
	if size > 0 {
		r.Repeated = nil // by numbers that are others' now
		r.Row, r.Buf = kept, append(r.Buf[:len(r.Buf)-len(CopyTrailer)-size], CopyTrailer...)
	}
	return size
}
