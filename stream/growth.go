package stream

import "sync"

const (
	// firstFetchBytes bounds what a fetch brings of topics until their first batch
	// has told how much they grow when they are decompressed, which may be a
	// thousand times.
	firstFetchBytes = 64 << 10
	// leastFetchBytes is the least that fetches are bounded to; brokers give a
	// whole batch all the same.
	leastFetchBytes = 4 << 10
	// slowFetchBytes bounds what is read of a partition at once where its rate is
	// capped: a large piece would keep its memory for long.
	slowFetchBytes = 64 << 10
	// evenBrokers is how many brokers may each be asked for the most.
	evenBrokers = 4
)

// fetchBytes is what one fetch may bring, decompressed.
func fetchBytes(memory int64) int64 { return min(max(memory/16, 1<<20), 4<<20) }

// growth follows how much the batches of each topic grow when they are
// decompressed, and bounds the fetches by it: the brokers count compressed bytes,
// memory holds the others.
type growth struct {
	// most is what a fetch may bring, decompressed, partition what of one partition:
	// all of it, as a rule, for what one fills need not be copied to be kept apart.
	most, partition int64

	mu sync.Mutex
	// factors are the growth in hundredths, as a topic's last batches had it; a
	// topic of which nothing was read yet has none.
	factors map[string]int64
}

func newGrowth(c *Config) *growth {
	g := &growth{most: fetchBytes(c.Memory), factors: make(map[string]int64)}
	if g.partition = g.most; c.MaxRate > 0 {
		g.partition = slowFetchBytes
	}
	return g
}

// seen notes what the records of a fetch have grown to.
func (g *growth) seen(topic string, raw, inflated int64) {
	if raw <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	seen, factor := max(100*inflated/raw, 100), g.factors[topic]
	if seen < factor {
		seen = factor - max((factor-seen)/16, 1) // slowly down, at once up
	}
	g.factors[topic] = seen
}

// bound says in the spots how much to ask for, of one of so many brokers, and
// gives how much that may be in all.
func (g *growth) bound(spots []spot, brokers int) (bytes int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	largest, unknown := int64(0), int64(0)
	for i := range spots {
		factor, ok := g.factors[spots[i].Topic]
		if !ok {
			unknown++
		}
		largest = max(largest, factor)
	}
	for i := range spots {
		s := &spots[i]
		if factor, ok := g.factors[s.Topic]; ok {
			s.bytes = int32(max(g.partition*100/factor, leastFetchBytes))
		} else {
			s.bytes = int32(max(firstFetchBytes/unknown, leastFetchBytes))
		}
	}
	if largest == 0 {
		return firstFetchBytes
	}
	return int32(max(g.most*evenBrokers/int64(max(brokers, evenBrokers))*100/largest, leastFetchBytes))
}
