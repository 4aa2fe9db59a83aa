package stream

import "sync/atomic"

// budget counts the memory of records in flight: what lies in queues, what
// lanes took and encoded and has not landed.
type budget struct {
	limit int64
	used  atomic.Int64
	// freed is poked when memory comes back.
	freed chan struct{}
}

func newBudget(limit int64) *budget {
	return &budget{limit: limit, freed: make(chan struct{}, 1)}
}

// add takes n bytes; a negative n gives them back.
func (b *budget) add(n int64) {
	b.used.Add(n)
	if n < 0 {
		poke(b.freed)
	}
}

// spent tells that nothing more may be read.
func (b *budget) spent() bool { return b.used.Load() >= b.limit }

// poke wakes whoever waits on a channel of capacity one.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
