package main

import (
	"iter"
	"math/rand/v2"
	"time"
)

// record is one record of a topic together with the line of the text file that
// \copy loads the same row from.
type record struct {
	topic     string
	partition int32
	offset    int64
	time      time.Time

	key, value, line []byte
}

// dataset is a kind of records, and the table that they go to.
type dataset struct {
	name string
	// topic is the dataset whose topics hold the records.
	topic   string
	columns string
	// key is the table's, and shared tells that more than one record may have
	// the same.
	key    string
	shared bool
	// fill makes key, value and line of record i; it draws from r only.
	fill func(r *rand.Rand, i int, rec *record)
}

// epoch is the time of the first record.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// records gives the first n records as they lie in a topic of so many
// partitions: the topic is written from it, and so is the text file. Each is
// valid until the next.
func (d *dataset) records(seed uint64, topic string, partitions, n int) iter.Seq[*record] {
	return func(yield func(*record) bool) {
		r := rand.New(rand.NewPCG(seed, 0))
		rec := record{topic: topic}
		for i := range n {
			rec.partition, rec.offset = int32(i%partitions), int64(i/partitions)
			rec.time = epoch.Add(time.Duration(i) * 7 * time.Millisecond)
			rec.key, rec.value, rec.line = rec.key[:0], rec.value[:0], rec.line[:0]
			d.fill(r, i, &rec)
			if !yield(&rec) {
				return
			}
		}
	}
}

// size gives the mean length of the first values, for headings.
func (d *dataset) size(seed uint64) int {
	const n = 1000
	sum := 0
	for rec := range d.records(seed, d.topic, 1, n) {
		sum += len(rec.value)
	}
	return sum / n
}
