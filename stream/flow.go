package stream

import (
	"context"
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
	// ready is closed once client is set: its callbacks can come before.
	ready chan struct{}

	assigned assignment
	lanes    []*lane
	budget   *budget
	claimer  *claimer
	fetcher  *fetcher
	// positions are those of idempotent delivery, nil otherwise.
	positions *groupPositions
	offsets   groupOffsets
	// committing is held by whoever commits offsets to the group.
	committing sync.Mutex
	caught     *caughtUp
	health     *health

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
	// idle tells that the group gave this process nothing.
	idle atomic.Bool
	// missing are the topics that were not; people ask for them meanwhile.
	missing atomic.Pointer[[]string]
	heights heights
	// tally counts what landed, for the line that sums up.
	tally tally
	// landings are the last batches, for people.
	landings landings
	// opened is poked when a claim opened its queue.
	opened chan struct{}
}

// HaltedError tells that the flow has ended while partitions were halted or
// paused, which it does not wait for.
type HaltedError struct {
	Partitions []sinkd.Position
	// See is where more is said of it.
	See string
}

// Error names the first of the partitions.
func (e *HaltedError) Error() string {
	p := e.Partitions[0]
	why := "paused"
	if p.Halted != "" {
		why = "halted: " + p.Halted
	}
	return fmt.Sprintf("%s, the first: %s (%s); see %s",
		partitions(len(e.Partitions), "halted or paused"), p.Partition, why, e.See)
}

// see is where more is said of what is halted.
func (f *Flow) see() string {
	if f.cfg.Idempotent {
		return "the log; what is halted is tried again by a new start"
	}
	return "sinkd incidents list"
}

// New makes a flow. It connects to nothing yet.
func New(cfg Config) (*Flow, error) {
	f := &Flow{
		cfg: cfg, log: cfg.Logger, metrics: cfg.Metrics,
		budget: newBudget(cfg.Memory), enough: make(chan struct{}), ready: make(chan struct{}), opened: make(chan struct{}, 1),
		assigned: assignment{parts: make(map[sinkd.Partition]*part)},
	}
	var err error
	if f.brokers, err = newBrokers(&cfg.Kafka); err != nil {
		return nil, err
	}
	if cfg.Idempotent {
		f.positions = newGroupPositions(&cfg, f.brokers)
		f.cfg.Store = f.positions
	}
	f.health = newHealth(f)
	f.claimer = newClaimer(f)
	f.fetcher = newFetcher(f)
	f.caught = newCaughtUp(f)
	for i := range cfg.Lanes {
		f.lanes = append(f.lanes, newLane(f, i))
	}
	f.metrics.limit(cfg.Memory)
	return f, nil
}

// Reach connects to the brokers, which Run does otherwise.
func (f *Flow) Reach(ctx context.Context) error {
	_, err := f.brokers.cluster(ctx)
	return err
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
	close(f.ready)
	work, stop := context.WithCancel(abort)
	defer stop()
	end := f.start(work)
	err = f.wait(ctx, work)
	f.shutdown(abort, end, stop)
	end.writing.Wait()
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

// satisfied tells that MaxBatches have landed: what is queued beyond is left in
// Kafka.
func (f *Flow) satisfied() bool {
	select {
	case <-f.enough:
		return true
	default:
		return false
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
	s.reading.Go(func() { f.fetcher.run(reading) })
	for _, l := range f.lanes {
		handover := make(chan *flight)
		s.writing.Go(func() { l.build(ctx, handover) })
		s.writing.Go(func() { l.apply(ctx, handover) })
	}
	s.all.Go(func() { f.claimer.run(ctx) })
	s.all.Go(func() { f.listen(ctx) })
	s.all.Go(func() { f.commit(ctx) })
	s.all.Go(func() { f.watch(ctx) })
	s.all.Go(func() { f.show(ctx) })
	s.all.Go(func() { f.observe(ctx) })
	s.all.Go(func() { f.sumUp(ctx) })
	s.all.Go(func() { f.upkeep(ctx) })
	s.all.Go(func() { f.caught.run(ctx) })
	return s
}

// leavePatience is how long leaving the group may take after the drain.
const leavePatience = 2 * time.Second

// shutdown reads no more, lands what was read, and leaves the group. What did
// not land within the drain timeout is left to whoever has the partition next;
// the group is told all the same, or that would have to wait for the session to
// time out. Where abort is done all of it ends at once.
func (f *Flow) shutdown(abort context.Context, s *stages, stop context.CancelFunc) {
	drain, cancel := context.WithTimeout(abort, f.cfg.DrainTimeout)
	defer cancel()
	s.stopReading()
	s.reading.Wait()
	for _, l := range f.lanes {
		if f.satisfied() {
			l.discard()
		}
		l.drain()
	}
	written := make(chan struct{})
	go func() {
		s.writing.Wait()
		close(written)
	}()
	select {
	case <-written:
	case <-drain.Done():
	}
	stop()
	leaving, cancel := context.WithTimeout(abort, leavePatience)
	defer cancel()
	f.leave(leaving)
}

// leave gives the partitions up and leaves the group. The client's Close can
// wait for a join under way much longer than a drain may take, so it is left
// behind when the context ends.
func (f *Flow) leave(ctx context.Context) {
	closed := make(chan struct{})
	go func() {
		f.client.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-ctx.Done():
	}
}

// batchLanded counts what landed and tells whoever waits for it.
func (f *Flow) batchLanded(b *sinkd.Batch) {
	f.health.up(postgres)
	f.metrics.landed(b)
	f.tally.add(b)
	f.landings.add(b)
	if f.cfg.Landed != nil {
		f.cfg.Landed(b)
	}
	for i := range b.Ranges {
		r := &b.Ranges[i]
		f.offsets.mark(r.Claim, kgo.EpochOffset{Epoch: r.Epoch, Offset: r.Until})
		f.heights.raise(r.Claim.Partition, place{r.Claim.Generation, r.Until})
	}
	f.caught.poke()
	if n := f.cfg.MaxBatches; n > 0 && b.Records() > 0 && f.batches.Add(1) == int64(n) {
		close(f.enough)
	}
}
