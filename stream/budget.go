package stream

import "sync/atomic"

// budget counts the memory of records in flight: what lies in queues, what
// lanes took and encoded and has not landed. What the client holds is added by
// whoever asks.
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

// spent tells whether nothing more may be read, with held bytes elsewhere. What
// is held elsewhere alone never keeps from reading: nothing would ever free it.
func (b *budget) spent(held int64) bool {
	used := b.used.Load()
	return used > 0 && used+held >= b.limit
}

// poke wakes whoever waits on a channel of capacity one.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
