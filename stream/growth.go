package stream

import "sync"

const (
	// firstFetchBytes bounds the fetches until the first batch has told how much
	// the topics' records grow when they are decompressed, which may be a thousand
	// times.
	firstFetchBytes = 64 << 10
	// leastFetchBytes is the least that fetches are bounded to; brokers give a
	// whole batch all the same.
	leastFetchBytes = 64 << 10
	// evenBrokers is how many brokers may each be asked for the most.
	evenBrokers = 4
)

// fetchBytes is what one fetch may bring, decompressed.
func fetchBytes(memory int64) int64 { return min(max(memory/16, 1<<20), 8<<20) }

// growth follows how much batches grow when they are decompressed, and bounds the
// fetches by it: the brokers count compressed bytes, memory holds the others.
type growth struct {
	// most is what a fetch may bring, decompressed.
	most int64

	mu sync.Mutex
	// factor is the growth in hundredths, as the last batches had it; 0 = nothing
	// was read yet.
	factor int64
}

// seen notes what the batches of a fetch have grown to.
func (g *growth) seen(raw, inflated int64) {
	if raw <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := max(100*inflated/raw, 100)
	if seen < g.factor {
		seen = g.factor - max((g.factor-seen)/16, 1) // slowly down, at once up
	}
	g.factor = seen
}

// extent is what to ask one of so many brokers for. A quarter of it is for one
// partition, so that lanes are fed evenly.
func (g *growth) extent(brokers int) extent {
	g.mu.Lock()
	defer g.mu.Unlock()
	bytes := int64(firstFetchBytes)
	if g.factor > 0 {
		bytes = max(g.most*evenBrokers/int64(max(brokers, evenBrokers))*100/g.factor, leastFetchBytes)
	}
	return extent{bytes: int32(bytes), partition: int32(max(bytes/4, leastFetchBytes)), wait: fetchWait}
}
