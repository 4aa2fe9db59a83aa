package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd"
)

// Flow moves the records of one pipeline from Kafka to Postgres.
type Flow struct {
	cfg     Config
	log     *slog.Logger
	metrics *Metrics

	brokers *brokers
	client  *kgo.Client

	assigned assignment
	lanes    []*lane
	budget   *budget
	claimer  *claimer
	poller   *poller
	courtesy courtesy
	caught   *caughtUp
	health   *health

	// tasks are short goroutines that no loop waits for.
	tasks sync.WaitGroup
	// batches counts those with records that landed; enough is closed when
	// MaxBatches is reached.
	batches atomic.Int64
	enough  chan struct{}

	// present are the topics that were there when the flow began, first that
	// the pipeline had never been started before.
	present map[string]bool
	first   bool
}

// HaltedError tells that the flow has ended while partitions were halted or
// paused, which it does not wait for.
type HaltedError struct {
	Partitions []sinkd.Position
}

// Error names the first of the partitions.
func (e *HaltedError) Error() string {
	p := e.Partitions[0]
	why := "paused"
	if p.Halted != "" {
		why = "halted: " + p.Halted
	}
	return fmt.Sprintf("%d partitions are halted or paused, the first: %s (%s); see sinkd incidents list",
		len(e.Partitions), p.Partition, why)
}

// New makes a flow. It connects to nothing yet.
func New(cfg Config) (*Flow, error) {
	f := &Flow{
		cfg: cfg, log: cfg.Logger, metrics: cfg.Metrics,
		budget: newBudget(cfg.Memory), enough: make(chan struct{}),
		assigned: assignment{parts: make(map[sinkd.Partition]*part)},
	}
	var err error
	if f.brokers, err = newBrokers(&cfg.Kafka); err != nil {
		return nil, err
	}
	f.health = newHealth(f)
	f.claimer = newClaimer(f)
	f.poller = newPoller(f)
	f.caught = newCaughtUp(f)
	for i := range cfg.Lanes {
		f.lanes = append(f.lanes, newLane(f, i))
	}
	f.metrics.limit(cfg.Memory)
	return f, nil
}

// Run moves records until ctx is done, which drains: what was read lands, then
// the group is left. When abort is done, everything stops where it is. Run
// waits for brokers and database without end; it fails only where the pipeline
// belongs to another group, or with a *HaltedError.
func (f *Flow) Run(ctx, abort context.Context) error {
	defer f.brokers.close()
	if err := f.prepare(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	client, err := kgo.NewClient(f.groupOptions()...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	f.client = client
	work, stop := context.WithCancel(abort)
	defer stop()
	end := f.start(work)
	err = f.wait(ctx, work)
	f.shutdown(abort, end)
	stop()
	end.all.Wait()
	f.tasks.Wait()
	return err
}

// wait blocks until there is a reason to end.
func (f *Flow) wait(ctx, work context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-work.Done():
		return context.Cause(work)
	case <-f.enough:
		return nil
	case err := <-f.caught.done:
		return err
	}
}

// stages are what shutdown ends one after the other.
type stages struct {
	stopReading context.CancelFunc
	reading     sync.WaitGroup
	writing     sync.WaitGroup
	all         sync.WaitGroup
}

// start runs the goroutines of the flow.
func (f *Flow) start(ctx context.Context) *stages {
	s := new(stages)
	reading, stop := context.WithCancel(ctx)
	s.stopReading = stop
	s.reading.Go(func() { f.poller.run(reading) })
	for _, l := range f.lanes {
		handover := make(chan *flight)
		s.writing.Go(func() { l.build(ctx, handover) })
		s.writing.Go(func() { l.apply(ctx, handover) })
	}
	s.all.Go(func() { f.claimer.run(ctx) })
	s.all.Go(func() { f.watch(ctx) })
	s.all.Go(func() { f.observe(ctx) })
	s.all.Go(func() { f.caught.run(ctx) })
	return s
}

// shutdown reads no more, lands what was read, and leaves the group, all within
// the drain timeout, or at once where abort is done.
func (f *Flow) shutdown(abort context.Context, s *stages) {
	ctx, cancel := context.WithTimeout(abort, f.cfg.DrainTimeout)
	defer cancel()
	s.stopReading()
	s.reading.Wait()
	f.client.AllowRebalance()
	for _, l := range f.lanes {
		l.drain()
	}
	written := make(chan struct{})
	go func() {
		s.writing.Wait()
		close(written)
	}()
	select {
	case <-written:
	case <-ctx.Done():
	}
	f.leave(ctx)
}

// leave gives the partitions up and leaves the group. The client's Close can
// wait for a join under way much longer than a drain may take, so it is left
// behind when the context ends.
func (f *Flow) leave(ctx context.Context) {
	closed := make(chan struct{})
	go func() {
		f.client.CloseAllowingRebalance()
		close(closed)
	}()
	select {
	case <-closed:
	case <-ctx.Done():
	}
}

// prepare does what has to be done before the group is joined: ties the
// pipeline to its cluster and group, and at the first start pins the positions
// of all topics. It tries without end.
func (f *Flow) prepare(ctx context.Context) error {
	var wait backoff
	for {
		err := f.tryPrepare(ctx)
		var not refusal
		if errors.As(err, &not) {
			return not.error
		}
		if err == nil {
			return nil
		}
		d := wait.next()
		f.health.failing(classified(err), d)
		f.log.Warn("cannot start yet, trying again", slog.Any("error", err), slog.Duration("in", d))
		if !sleep(ctx, d) {
			return context.Cause(ctx)
		}
	}
}

// refusal is an error that no retry mends: the pipeline is another group's.
type refusal struct{ error }

func (f *Flow) tryPrepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*claimPatience)
	defer cancel()
	topics, err := f.matching(ctx)
	if err != nil {
		return err
	}
	cluster, err := f.brokers.cluster(ctx)
	if err != nil {
		return err
	}
	f.health.up(kafka)
	if f.first, err = f.cfg.Store.Register(ctx, cluster); err != nil {
		var e *sinkd.Error
		if !errors.As(err, &e) {
			return refusal{err}
		}
		return err
	}
	f.health.up(postgres)
	if err := f.cfg.Store.Retry(ctx); err != nil {
		return err
	}
	f.present = make(map[string]bool, len(topics))
	for name := range topics {
		f.present[name] = true
	}
	if f.first {
		if err := f.pinAll(ctx, topics); err != nil {
			return err
		}
	}
	return f.caught.aim(ctx, topics)
}

// pinAll pins every topic that is there at the pipeline's first start.
func (f *Flow) pinAll(ctx context.Context, topics map[string]sinkd.Topic) error {
	known, err := f.cfg.Store.Topics(ctx)
	if err != nil {
		return err
	}
	for name := range topics {
		if _, ok := known[name]; ok {
			continue
		}
		if err := f.pin(ctx, name, false); err != nil {
			return err
		}
	}
	return f.cfg.Store.Started(ctx)
}

// matching describes the topics that are there and that the flow subscribes to.
func (f *Flow) matching(ctx context.Context) (map[string]sinkd.Topic, error) {
	if len(f.cfg.Patterns) == 0 {
		topics, err := f.brokers.topics(ctx, f.cfg.Topics...)
		for _, name := range f.cfg.Topics {
			if _, ok := topics[name]; err == nil && !ok {
				f.log.Warn("the topic does not exist; waiting for it", slog.String("topic", name))
			}
		}
		return topics, err
	}
	topics, err := f.brokers.topics(ctx)
	for name := range topics {
		if !f.subscribes(name) {
			delete(topics, name)
		}
	}
	return topics, err
}

// subscribes tells whether the flow reads the topic.
func (f *Flow) subscribes(topic string) bool { return f.literal(topic) || f.matches(topic) }

func (f *Flow) literal(topic string) bool {
	for _, t := range f.cfg.Topics {
		if t == topic {
			return true
		}
	}
	return false
}

func (f *Flow) matches(topic string) bool {
	for _, p := range f.cfg.Patterns {
		if m := p.FindStringIndex(topic); m != nil && m[0] == 0 && m[1] == len(topic) {
			return true
		}
	}
	return false
}

// late tells whether the topic appeared after the pipeline's first start, as
// far as this process can know: one that a pattern matches counts by the
// pipeline, one that is named by this process's start.
func (f *Flow) late(topic string) bool {
	if !f.present[topic] {
		return true
	}
	return !f.literal(topic) && !f.first
}

// batchLanded counts what landed and tells whoever waits for it.
func (f *Flow) batchLanded(b *sinkd.Batch) {
	f.health.up(postgres)
	f.metrics.landed(b)
	for i := range b.Ranges {
		r := &b.Ranges[i]
		f.courtesy.mark(r.Claim.Partition, kgo.EpochOffset{Epoch: r.Epoch, Offset: r.Until})
	}
	f.caught.poke()
	if n := f.cfg.MaxBatches; n > 0 && b.Records() > 0 && f.batches.Add(1) == int64(n) {
		close(f.enough)
	}
}

// fenced drops claims that have ended and asks for new ones after a while.
func (f *Flow) fenced(claims []*sinkd.Claim) {
	for _, c := range claims {
		pt := f.close(c, claiming)
		if pt == nil {
			continue
		}
		f.metrics.claim("fenced")
		f.log.Info("claim has ended", slog.String("partition", c.String()))
		f.claimer.ask([]*part{pt}, nil, afterFence())
	}
}

// close ends a claim: its queue is dropped and the client stops fetching for it.
func (f *Flow) close(c *sinkd.Claim, to phase) *part {
	pt, q := f.assigned.close(c, to)
	if pt == nil {
		return nil
	}
	f.client.PauseFetchPartitions(single(c.Partition))
	q.lane.drop(q)
	return pt
}

// stop halts the partition of a queue for what was seen while reading it.
func (f *Flow) stop(ctx context.Context, q *queue, kind, detail string) {
	q.close()
	f.tasks.Go(func() {
		q.lane.settle(ctx, q)
		f.haltClaim(ctx, q.claim, q.position(), sinkd.Incident{Partition: q.claim.Partition, Kind: kind, Detail: detail})
	})
}

// halt halts the partitions of a batch that no retry can bring in.
func (f *Flow) halt(ctx context.Context, b *sinkd.Batch, e *sinkd.Error) {
	kind := e.Kind
	if kind == "" {
		kind = sinkd.Refused
	}
	for i := range b.Ranges {
		r := &b.Ranges[i]
		if e.Topic != "" && e.Topic != r.Claim.Topic {
			continue
		}
		f.haltClaim(ctx, r.Claim, r.From, sinkd.Incident{Partition: r.Claim.Partition, Kind: kind, Detail: e.Error()})
	}
}

// haltClaim halts one partition where its claim still holds; where it does not,
// the claim has ended and is asked for again. It tries until it knows.
func (f *Flow) haltClaim(ctx context.Context, c *sinkd.Claim, next int64, i sinkd.Incident) {
	var wait backoff
	for {
		ok, err := f.cfg.Store.Halt(ctx, c, next, i)
		switch {
		case err == nil && ok:
			f.log.Error("partition halted", slog.String("partition", c.String()),
				slog.String("kind", i.Kind), slog.String("detail", i.Detail))
			f.close(c, halted)
			f.caught.poke()
			return
		case err == nil:
			f.fenced([]*sinkd.Claim{c})
			return
		}
		if !sleep(ctx, wait.next()) {
			return
		}
	}
}

// pausePipeline pauses all of the pipeline, with the incident that says why.
func (f *Flow) pausePipeline(ctx context.Context, e *sinkd.Error) {
	err := f.cfg.Store.Pause(ctx, sinkd.Incident{Kind: e.Kind, Detail: e.Error()})
	if err != nil {
		f.log.Warn("cannot pause the pipeline, trying again", slog.Any("error", err))
		sleep(ctx, time.Second)
		return
	}
	f.log.Error("pipeline paused", slog.String("kind", e.Kind), slog.String("detail", e.Error()))
	for _, pt := range f.assigned.all() {
		if pt.queue != nil {
			f.close(pt.queue.claim, paused)
		}
	}
	f.caught.poke()
}
