package stream

import (
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// firstFetchBytes bounds the fetches until the first batch has told how much
// the topics' records grow when they are decompressed, which may be a thousand
// times.
const firstFetchBytes = 64 << 10

// leastFetchBytes is the least that fetches are bounded to; brokers give a whole
// batch all the same.
const leastFetchBytes = 64 << 10

// inflation follows how much batches grow when they are decompressed, and bounds
// the fetches by it: the brokers count compressed bytes, memory holds the others.
type inflation struct {
	flow *Flow
	// factor is the growth in hundredths, as the last batches had it.
	factor atomic.Int64
	// bound is what fetches are bounded to.
	bound atomic.Int64
}

// OnFetchBatchRead is called by the client for each batch that it has read.
func (i *inflation) OnFetchBatchRead(_ kgo.BrokerMetadata, _ string, _ int32, m kgo.FetchBatchMetrics) {
	if m.CompressedBytes <= 0 {
		return
	}
	seen := max(100*int64(m.UncompressedBytes)/int64(m.CompressedBytes), 100)
	factor := i.factor.Load()
	if seen < factor {
		seen = factor - (factor-seen)/16 // slowly down, at once up
	}
	i.factor.Store(seen)
	bound := max(int64(i.flow.fetchBytes())*100/seen, leastFetchBytes)
	if now := i.bound.Load(); bound < now*3/4 || bound > now*5/4 {
		i.bound.Store(bound)
		i.flow.bound(int32(bound))
	}
}

// bound bounds the fetches from the next one on; a quarter is for one partition.
func (f *Flow) bound(bytes int32) {
	<-f.ready
	f.client.UpdateFetchMaxBytes(bytes, max(bytes/4, leastFetchBytes))
}
