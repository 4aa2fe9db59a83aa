package sinkd

import (
	"time"

	"github.com/google/uuid"
)

// Range is [From, Until) of one partition under one claim. From is the
// previous Until of the claim, never the first record's offset: gaps that
// compaction and transaction markers leave are legal.
type Range struct {
	Claim       *Claim
	From, Until int64
	// Epoch is the leader epoch of the last record before Until, -1 if unknown.
	Epoch int32
	// Records are the data records of the range in offset order, without
	// control records. They are kept until the range landed, so that a batch
	// can be split, or built anew without a lost partition.
	Records Records
	// Count is what the encoder made of Records.
	Count Count
}

// Count tells what became of the records of a range:
// as many as there are records = Rows + Skipped + Dead, always.
type Count struct {
	// Rows are records whose effect is in the tables, superseded ones included.
	Rows int
	// Skipped are records without effect by configuration.
	Skipped int
	// Refused are those of Skipped whose rows Postgres left out, by the mode.
	Refused int
	// Dead are records that went to the dead letters.
	Dead int
	// Bytes is the sum of the keys' and values' lengths.
	Bytes int64
	// First and Last are the earliest and the latest record timestamp.
	First, Last time.Time
}

// Batch is the unit of one transaction: the ranges, what their records became,
// and nothing that the transaction has to wait for.
type Batch struct {
	ID      uuid.UUID
	Started time.Time
	// Ranges hold at most one range a partition.
	Ranges []Range
	// Rows and Dead are made by the encoder from the ranges; Split and Without
	// leave them empty, and the lane encodes again.
	Rows []Rows
	Dead []DeadLetter
	// Waited and Built are how long the lane waited for the batch's records, and
	// how long its rows took to be encoded.
	Waited, Built time.Duration
	// Timing is filled while the batch is applied.
	Timing Timing
	// SQLState is that of the last error that the batch met, or what it is a
	// part of; empty for none.
	SQLState string
}

// Timing tells how long the steps of one attempt to apply a batch took.
type Timing struct {
	Copy, Merge, Commit time.Duration
}

// DeadLetter is a record that can never be written, with the reason.
type DeadLetter struct {
	Record *Record
	// Stage is where it failed: decode, convert or write.
	Stage string
	// Reason names column, type and what is wrong, and holds no row data
	// beyond what the reader needs.
	Reason string
	// SQLState is Postgres's code where Postgres refused the record.
	SQLState string
	// SchemaID is the schema registry's id of the value, 0 if it has none.
	SchemaID int
}

// Records counts the data records of the batch.
func (b *Batch) Records() int {
	n := 0
	for i := range b.Ranges {
		n += b.Ranges[i].Records.Len()
	}
	return n
}

// Record gives the record that a row came from.
func (b *Batch) Record(r RowRef) *Record { return b.Ranges[r.Range].Records.At(int(r.Index)) }

// Find gives the place of a record in the batch: the index of its range, and its
// number there; false where the batch does not have it.
func (b *Batch) Find(rec *Record) (at, n int, ok bool) {
	for i := range b.Ranges {
		r := &b.Ranges[i]
		if r.Claim.Topic != rec.Topic || r.Claim.ID != rec.Partition {
			continue
		}
		if n := r.Records.Search(rec.Offset); n < r.Records.Len() && r.Records.Offset(n) == rec.Offset {
			return i, n, true
		}
	}
	return 0, 0, false
}

// Bury makes dead letters of records that have a row of their own, without
// encoding the batch anew. It answers how many bytes of rows are gone; 0 where
// none of them has a row: then nothing has changed.
func (b *Batch) Bury(letters ...DeadLetter) int {
	type place struct{ at, n int32 }
	of := make(map[place]*DeadLetter, len(letters))
	for i := range letters {
		if at, n, ok := b.Find(letters[i].Record); ok {
			of[place{int32(at), int32(n)}] = &letters[i]
		}
	}
	gone := 0
	for i := range b.Rows {
		gone += b.Rows[i].cut(func(ref RowRef) bool {
			p := place{ref.Range, ref.Index}
			d := of[p]
			if d == nil {
				return false
			}
			delete(of, p)
			count := &b.Ranges[ref.Range].Count
			count.Rows--
			count.Dead++
			b.Dead = append(b.Dead, *d)
			return true
		})
	}
	return gone
}

// Without gives the batch without the ranges for which lost answers true; the
// batch itself if none is, nil if all are.
func (b *Batch) Without(lost func(*Claim) bool) *Batch {
	kept := make([]Range, 0, len(b.Ranges))
	for _, r := range b.Ranges {
		if !lost(r.Claim) {
			kept = append(kept, r.bare())
		}
	}
	switch len(kept) {
	case len(b.Ranges):
		return b
	case 0:
		return nil
	}
	return b.of(kept)
}

// Split divides the batch into smaller ones that are to be applied one after
// the other, each in its own transaction. Where at names a record of the
// batch, that record stands alone in one of them; otherwise the batch is
// halved, by partition first, then by offset. A single record of a single
// partition cannot be split: the result is nil.
func (b *Batch) Split(at *Record) []*Batch {
	if b.Records() <= 1 && len(b.Ranges) == 1 {
		return nil
	}
	if at != nil && b.Records() > 1 {
		if parts := b.isolate(at); parts != nil {
			return parts
		}
	}
	if n := len(b.Ranges); n > 1 {
		return []*Batch{b.of(bare(b.Ranges[:n/2])), b.of(bare(b.Ranges[n/2:]))}
	}
	x, y := b.Ranges[0].cut(b.Ranges[0].Records.Len() / 2)
	return []*Batch{b.of([]Range{x}), b.of([]Range{y})}
}

// isolate splits the batch so that the record at stands alone: all that comes
// before it together with the other partitions, itself, all after it.
func (b *Batch) isolate(at *Record) []*Batch {
	i, n, ok := b.Find(at)
	if !ok {
		return nil
	}
	others := append(bare(b.Ranges[:i]), bare(b.Ranges[i+1:])...)
	before, rest := b.Ranges[i].cut(n)
	one, after := rest.cut(1)
	if before.Records.Len() > 0 {
		others = append(others, before)
	} else {
		one.From = before.From
	}
	parts := make([]*Batch, 0, 3)
	if len(others) > 0 {
		parts = append(parts, b.of(others))
	}
	parts = append(parts, b.of([]Range{one}))
	return append(parts, b.pieces(after)...)
}

// pieceRecords bounds the batches behind a refused record: more may be refused,
// and each time all behind it is written again.
const pieceRecords = 250

// pieces cuts a range into batches of at most pieceRecords.
func (b *Batch) pieces(r Range) []*Batch {
	var out []*Batch
	for r.Records.Len() > pieceRecords {
		var piece Range
		piece, r = r.cut(pieceRecords)
		out = append(out, b.of([]Range{piece}))
	}
	if r.From < r.Until {
		out = append(out, b.of([]Range{r}))
	}
	return out
}

// of gives a batch of the given ranges, started when b was, under a new id.
func (b *Batch) of(ranges []Range) *Batch {
	return &Batch{ID: uuid.New(), Started: b.Started, Ranges: ranges}
}

// cut divides a range in front of its record n.
func (r Range) cut(n int) (x, y Range) {
	x, y = r.bare(), r.bare()
	all := r.Records.Len()
	x.Records, y.Records = r.Records.Slice(0, n), r.Records.Slice(n, all)
	if n < all {
		x.Until = r.Records.Offset(n)
	}
	if n == 0 {
		x.Until = r.From
	} else {
		x.Epoch = r.Records.Epoch(n - 1)
	}
	y.From = x.Until
	return x, y
}

// bare gives the range without what an encoder counted.
func (r Range) bare() Range {
	r.Count = Count{}
	return r
}

func bare(ranges []Range) []Range {
	out := make([]Range, len(ranges))
	for i, r := range ranges {
		out[i] = r.bare()
	}
	return out
}
