package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd"
)

const (
	// pollPatience bounds a poll, so that seeks, group offsets and the end are
	// never far.
	pollPatience = 100 * time.Millisecond
	// sweepInterval is the least time between two looks at all queues: with
	// hundreds of them a look costs more than a poll.
	sweepInterval = 20 * time.Millisecond
)

// seek is a claim that came after the claim function had returned: the poller
// opens its queue, sets the client's offset and resumes.
type seek struct {
	part    *part
	claimed *claimed
}

// poller is the only goroutine that polls, and the only one that sets offsets:
// between a poll and AllowRebalance, while the assignment stands still.
type poller struct {
	flow *Flow
	// wake cuts a poll short: there is a seek or a proof.
	wake chan struct{}
	// polls counts the polls that could bring records.
	polls int
	// data is when a poll brought records last; looking counts the fetches of
	// our own at silent tails.
	data    time.Time
	looking int
	// swept is when all queues were looked at last.
	swept time.Time
	// committed is when group offsets were sent last; sending that a commit is
	// under way, during which no offset may be set.
	committed time.Time
	sending   chan struct{}

	mu     sync.Mutex
	seeks  []seek
	proofs []proof
}

func newPoller(f *Flow) *poller { return &poller{flow: f, wake: make(chan struct{}, 1)} }

// seek leaves a claim for the poller.
func (p *poller) seek(s seek) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seeks = append(p.seeks, s)
	poke(p.wake)
}

// run polls until the context ends. Rebalances are allowed after every poll,
// be it empty, failed or cancelled.
func (p *poller) run(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := p.poll(ctx)
		if fetches.IsClientClosed() {
			return
		}
		p.distribute(ctx, fetches)
		p.between(ctx)
		p.flow.client.AllowRebalance()
		p.throttle(ctx)
	}
}

// poll asks the client for what it has. Where nothing more may be read it polls
// with a cancelled context, which brings nothing and holds rebalances back, so
// that what happens between polls can happen.
func (p *poller) poll(ctx context.Context) kgo.Fetches {
	if p.mayRead() {
		ctx, cancel := context.WithTimeout(ctx, pollPatience)
		defer cancel()
		stop := make(chan struct{})
		defer close(stop)
		p.polls++
		go func() {
			select {
			case <-p.wake:
				cancel()
			case <-stop:
			}
		}()
		return p.flow.client.PollRecords(ctx, -1)
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return p.flow.client.PollRecords(ctx, -1)
}

// mayRead tells whether records can be taken in: the budget is not spent, and
// some lane could use them.
func (p *poller) mayRead() bool {
	if p.flow.budget.spent(p.flow.client.BufferedFetchBytes()) {
		return false
	}
	claims := false
	for _, l := range p.flow.lanes {
		if !l.sated() {
			return true
		}
		claims = claims || l.claims() > 0
	}
	return !claims
}

// throttle waits while nothing may be read; rebalances are allowed meanwhile.
func (p *poller) throttle(ctx context.Context) {
	if p.mayRead() {
		return
	}
	timer := time.NewTimer(pollPatience)
	defer timer.Stop()
	for !p.mayRead() {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
			poke(p.wake)
			return
		case <-timer.C:
			return
		case <-p.flow.budget.freed:
		}
	}
}

// distribute puts records into the queues of their claims, and deals with
// errors.
func (p *poller) distribute(ctx context.Context, fetches kgo.Fetches) {
	fetches.EachTopic(func(t kgo.FetchTopic) {
		for i := range t.Partitions {
			fp := &t.Partitions[i]
			at := sinkd.Partition{Topic: t.Topic, ID: fp.Partition}
			switch {
			case fp.Err != nil:
				p.failed(ctx, at, fp.Err)
			case len(fp.Records) > 0:
				p.deliver(ctx, at, t.TopicID, fp)
			}
		}
	})
}

// deliver puts the records of one partition into its queue, if they are of the
// topic that the claim was checked against.
func (p *poller) deliver(ctx context.Context, at sinkd.Partition, topicID [16]byte, fp *kgo.FetchPartition) {
	q := p.flow.assigned.queueOf(at)
	if q == nil {
		return
	}
	if want := p.flow.topicID(at); topicID != [16]byte{} && want != [16]byte{} && topicID != want {
		p.flow.stop(ctx, q, sinkd.TopicRecreated, "records came from a topic with another id than the one that was claimed")
		return
	}
	p.data = time.Now()
	q.active, q.polls, q.idleLooks = p.data, p.polls, 0
	p.listed(q, fp.LastStableOffset)
	recs := q.fresh(fp.Records)
	if len(recs) == 0 {
		return
	}
	if !q.verified && recs[0].Offset > q.tail {
		p.hold(ctx, q, recs)
		return
	}
	q.verified = true
	p.push(q, recs)
}

// push hands records over to the lane.
func (p *poller) push(q *queue, recs []*sinkd.Record) {
	count, n := q.push(recs)
	p.flow.budget.add(n)
	p.flow.metrics.consumed(q.claim.Topic, n-int64(count)*recordOverhead)
	if !q.throttled && p.hogs(q) {
		p.pause(q)
	}
}

// pause keeps the client from fetching for a claim.
func (p *poller) pause(q *queue) {
	q.throttled = true
	p.flow.client.PauseFetchPartitions(single(q.claim.Partition))
}

// hogs tells that a claim is to be paused: it has more than a quarter of the
// budget queued, or its lane, which is not the only one, more than half; or
// more than it may land soon.
func (p *poller) hogs(q *queue) bool {
	limit := p.flow.budget.limit
	return q.holds() > limit/4 || len(p.flow.lanes) > 1 && q.lane.holds() > limit/2 || q.glut()
}

// between does what may only be done between two polls.
func (p *poller) between(ctx context.Context) {
	p.mu.Lock()
	seeks, proofs := p.seeks, p.proofs
	p.seeks, p.proofs = nil, nil
	p.mu.Unlock()
	if len(seeks)+len(proofs) > 0 {
		p.quiesce(ctx)
	}
	for _, pr := range proofs {
		p.settle(pr)
	}
	for _, s := range seeks {
		p.start(s)
	}
	if now := time.Now(); now.Sub(p.swept) > sweepInterval {
		p.swept = now
		p.regulate(ctx)
		p.tails(ctx)
	}
	p.commit(ctx)
}

// start opens the queue of a late claim and points the client at it.
func (p *poller) start(s seek) {
	q := p.flow.open(s.part, s.claimed)
	if q == nil {
		return
	}
	p.point(q, false)
	p.flow.client.ResumeFetchPartitions(single(q.claim.Partition))
}

// point sets the client's offset to the queue's tail. Setting the offset that
// the client believes to hold does nothing, even where it fetches elsewhere:
// force sets another one before.
func (p *poller) point(q *queue, force bool) {
	at := kgo.EpochOffset{Epoch: q.epoch, Offset: q.tail}
	if force {
		p.flow.client.SetOffsets(offsetAt(q.claim.Partition, kgo.EpochOffset{Epoch: -1, Offset: q.tail + 1}))
	}
	p.flow.client.SetOffsets(offsetAt(q.claim.Partition, at))
}

// regulate lets the client fetch again for claims that hold little by now, and
// keeps it from fetching for those that wait; they give memory up where others
// need it.
func (p *poller) regulate(ctx context.Context) {
	limit := p.flow.budget.limit
	for _, l := range p.flow.lanes {
		for _, q := range l.all() {
			switch {
			case !q.throttled && q.glut():
				p.pause(q)
			case q.throttled && !q.glut() && q.holds() < limit/8 && l.holds() < limit/4:
				q.throttled = false
				q.active = time.Now()
				p.flow.client.ResumeFetchPartitions(single(q.claim.Partition))
			case q.throttled && (l.holds() >= limit/4 || p.flow.budget.used.Load() > limit/2):
				p.shed(ctx, q)
			}
		}
	}
}

// shed gives back most of what a queue holds that waits for a missing row:
// where many wait, the budget would be spent, and the row that they wait for
// never read. All queues together keep an eighth at most. The client is set to
// read it again.
func (p *poller) shed(ctx context.Context, q *queue) {
	queues := 0
	for _, l := range p.flow.lanes {
		queues += l.claims()
	}
	if q.held != nil || q.probing || !q.shed(p.flow.budget.limit/int64(16*max(queues, 1))) {
		return
	}
	p.quiesce(ctx)
	q.verified = false
	p.point(q, true)
}

// failed deals with a fetch error that the client does not retry by itself. It
// would repeat it tens of thousands of times a second, so the first one stops
// the partition.
func (p *poller) failed(ctx context.Context, at sinkd.Partition, err error) {
	var group *kgo.ErrGroupSession
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return
	case errors.As(err, &group):
		p.flow.health.failing(err, 0)
		return
	}
	q := p.flow.assigned.queueOf(at)
	if q == nil {
		p.flow.orphaned(ctx, at, err)
		return
	}
	var lost *kgo.ErrDataLoss
	switch {
	case errors.As(err, &lost):
		p.flow.stop(ctx, q, sinkd.DataLost, err.Error())
	case errors.Is(err, kerr.OffsetOutOfRange):
		// The log start may have passed the position, or a listing says so: the
		// check of a new claim tells which, and skips where that is wanted.
		p.flow.fenced([]*sinkd.Claim{q.claim})
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID),
		errors.Is(err, kerr.UnknownTopicOrPartition):
		// The topic was deleted, and maybe made anew: the check of a new claim
		// tells which.
		p.flow.renewals.refuse(at.Topic)
		p.flow.fenced([]*sinkd.Claim{q.claim})
	default:
		p.flow.stop(ctx, q, sinkd.FetchFailed, err.Error())
	}
}

func single(p sinkd.Partition) map[string][]int32 {
	return map[string][]int32{p.Topic: {p.ID}}
}

func offsetAt(p sinkd.Partition, at kgo.EpochOffset) map[string]map[int32]kgo.EpochOffset {
	return map[string]map[int32]kgo.EpochOffset{p.Topic: {p.ID: at}}
}

// listed notes a last stable offset that was listed apart from polls.
func (p *poller) listed(q *queue, stable int64) {
	q.lane.mu.Lock()
	defer q.lane.mu.Unlock()
	q.known = max(q.known, stable)
}
