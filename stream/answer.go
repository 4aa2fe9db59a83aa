package stream

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sinkd/sinkd"
)

// answered deals with the answer for one queue, and tells whether it led on.
func (f *fetcher) answered(ctx context.Context, r *read, rp *kmsg.FetchResponseTopicPartition, whole bool) bool {
	if rp.ErrorCode == 0 && rp.PreferredReadReplica >= 0 {
		if r.follower >= 0 { // Who is asked in the leader's place has nobody to name.
			r.follower = -1
			f.again(r)
		} else {
			r.follower, r.followed = rp.PreferredReadReplica, time.Now()
		}
		return true
	}
	p, err := f.log.read(r.Partition, r.at, rp, whole)
	if err != nil {
		f.failed(ctx, r, err)
		return false
	}
	r.wait, r.unknown = backoff{}, 0
	f.growth.seen(r.Topic, p.raw, p.inflated)
	held := r.queue.push(r.at, &p)
	f.flow.budget.add(held)
	if held > 0 {
		f.flow.metrics.consumed(r.Topic, p.records.Size(p.records.Len()))
	}
	return p.next > r.at
}

// unanswered deals with a fetch that failed as a whole.
func (f *fetcher) unanswered(ctx context.Context, broker int32, reads []*read, err error) {
	if ctx.Err() != nil {
		return
	}
	f.leaders.doubt()
	lasts := false
	for _, r := range reads {
		lasts = lasts || r.wait.n > 0
		r.follower = -1
		f.again(r)
	}
	if lasts { // One failure may be a connection that was closed for being idle.
		f.flow.health.unanswered(broker, err)
	}
	f.flow.log.Debug("a fetch failed", slog.Int("broker", int(broker)), slog.Any("error", err))
}

const (
	// errorLimit is how often an error that asking again does not mend is not
	// believed: what is corrupt may have become so on its way.
	errorLimit = 1
	// serverErrorLimit is how often a broker may fail for a partition without a
	// reason, which takes half a minute: it may be over as it came.
	serverErrorLimit = 12
)

// failed deals with an error of one partition.
func (f *fetcher) failed(ctx context.Context, r *read, err error) {
	f.leaders.doubt()
	follower := r.follower >= 0
	r.follower = -1
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange) && !follower:
		// The log start may have passed the position: the check of a new claim
		// tells, and skips where that is wanted.
		f.end(r.queue)
		f.again(r)
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID), errors.Is(err, kerr.UnknownTopicOrPartition):
		// The topic was deleted, and maybe made anew: the same check tells which.
		if r.unknown++; r.unknown > unknownLimit {
			f.end(r.queue)
		}
		f.again(r)
	case errors.Is(err, kerr.UnknownServerError):
		f.halt(ctx, r, err, serverErrorLimit)
	case kerr.IsRetriable(err), errors.Is(err, kerr.FencedLeaderEpoch), follower:
		f.again(r)
	default:
		f.halt(ctx, r, err, errorLimit)
	}
}

// halt halts a partition that cannot be read on, once the error came oftener in a
// row than the limit, and all that was read before it has landed.
func (f *fetcher) halt(ctx context.Context, r *read, err error, limit int) {
	if r.unknown++; r.unknown > limit && r.queue.landedAll() {
		f.flow.stop(ctx, r.queue, sinkd.FetchFailed, err.Error())
	}
	f.again(r)
}

// end ends the claim of a queue that cannot be read on, once all that was read has
// landed: Kafka may have it no more.
func (f *fetcher) end(q *queue) {
	if q.landedAll() {
		f.flow.fenced([]*sinkd.Claim{q.claim})
	}
}

// again puts the next fetch for a queue off.
func (f *fetcher) again(r *read) { r.retry = time.Now().Add(r.wait.next()) }
