package integration_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd/integration/lab"
)

// newFakeWorld is newWorld on a kfake cluster inside of the test, which can be
// given faults, and which is up at once.
func newFakeWorld(t testing.TB, partitions int, opts ...kfake.Opt) (*world, *kfake.Cluster) {
	t.Helper()
	c := lab.Cluster(t, opts...)
	return newWorldAt(t, c.ListenAddrs()[0], lab.Database(t), partitions), c
}

// proxied gives the environment of a sinkd that reaches the database through a
// proxy of its own; the proxy's faults strike sinkd's sessions only.
func (w *world) proxied(pairs ...string) (env, *lab.Proxy) {
	w.t.Helper()
	proxy, err := lab.StartProxy(w.url)
	lab.Require(w.t, err)
	proxy.Match("sinkd/")
	return w.env().with("SINKD_DATABASE_URL", proxy.URL(w.url)).with(pairs...), proxy
}

// badEach is after how many events a feed produces a bad record.
const badEach = 400

// feed is load with a bad record now and then.
func (w *world) feed(n, partitions int) (stop func()) {
	w.t.Helper()
	sent := 0
	return w.keep(func(ctx context.Context) error {
		var bad []string
		if sent/badEach != (sent+n)/badEach && !w.bookless { // there it would stop the partition
			bad = []string{`{"id": "none"}`}
		}
		sent += n
		return w.tryMix(ctx, n, partitions, bad...)
	})
}

// tryMix produces events, spread over the partitions, and between them bad
// records in partition 0.
func (w *world) tryMix(ctx context.Context, n, partitions int, bad ...string) error {
	first := w.ids(n)
	recs := make([]*kgo.Record, 0, n+len(bad))
	for i := range n {
		id := first + int64(i)
		if i == n/2 {
			for _, v := range bad {
				recs = append(recs, &kgo.Record{Value: []byte(v)})
			}
		}
		recs = append(recs, w.event(id, int32(id%int64(partitions))))
	}
	return w.send(ctx, recs, func(i int, at place) {
		switch {
		case i < n/2:
			w.sent[at] = first + int64(i)
		case i < n/2+len(bad):
			w.bad[at] = true
		default:
			w.sent[at] = first + int64(i-len(bad))
		}
	})
}

// behind tells, without looking at rows, which positions have not come to the
// end of what was produced.
func (w *world) behind() error {
	w.mu.Lock()
	ends := make(map[int32]int64)
	for at := range w.sent {
		ends[at.partition] = max(ends[at.partition], at.offset+1)
	}
	for at := range w.bad {
		ends[at.partition] = max(ends[at.partition], at.offset+1)
	}
	w.mu.Unlock()
	next := w.nexts()
	for id, end := range ends {
		if next[id] < end {
			return fmt.Errorf("partition %d: position %d of %d", id, next[id], end)
		}
	}
	return nil
}

// nexts gives the positions by partition.
func (w *world) nexts() map[int32]int64 {
	w.t.Helper()
	if w.bookless {
		return w.committed()
	}
	out := make(map[int32]int64)
	for _, p := range query[[]int64](w, `SELECT ARRAY[partition, next_offset] FROM sinkd.offsets`) {
		out[int32(p[0])] = p[1]
	}
	return out
}

// moved gives the sum of the positions.
func (w *world) moved() int64 {
	var sum int64
	for _, next := range w.nexts() {
		sum += next
	}
	return sum
}

// advance waits until the positions have moved by n records from here.
func (w *world) advance(n int64) {
	w.t.Helper()
	from := w.moved()
	eventually(w.t, 60*time.Second, "the positions do not move on", func() error {
		if now := w.moved(); now < from+n {
			return fmt.Errorf("%d records on from %d", now-from, from)
		}
		return nil
	})
}

// complete waits until all that was produced has landed, and audits it.
func (w *world) complete() {
	w.t.Helper()
	eventually(w.t, 60*time.Second, "not all of it has landed", w.behind)
	w.exact()
}
