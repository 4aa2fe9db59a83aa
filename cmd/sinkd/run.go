package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

// runCommand moves records.
type runCommand struct {
	UntilCaughtUp bool `help:"End when all that was in the topics at the start is in PostgreSQL; 1 if a partition is halted or paused."`
	MaxBatches    int  `help:"End after so many committed batches with records; 0 = never." placeholder:"N"`
}

// Help shows an example.
func (runCommand) Help() string {
	return "The first SIGTERM drains: what was read lands, then the consumer group is left. The second one stops at once, with exit code 1.\n\nExample:\n\n    SINKD_KAFKA_BROKERS=localhost:9092 SINKD_TOPICS=orders SINKD_DATABASE_URL=postgres://localhost/app sinkd run --until-caught-up"
}

// grace is how long run may take beyond the drain; parting is the part of it
// that is left for closing sessions.
const (
	grace   = 3 * time.Second
	parting = time.Second
)

// errAborted is the cause of an end by a second signal.
var errAborted = errors.New("stopped by a second signal, without draining")

// Run moves records until there is a reason to end.
func (r *runCommand) Run(p *program) error {
	if r.MaxBatches < 0 {
		return usageError{errors.New("--max-batches wants a number that is not negative")}
	}
	c, err := p.load(config.Flow)
	if err != nil {
		return err
	}
	defer p.quiet()() // it logs
	limitMemory(p.env, c.Memory)
	s, err := newService(p, c, r)
	if err != nil {
		return err
	}
	drain, abort, stop := signals(p.ctx)
	defer stop()
	closeHTTP, err := s.listen(drain)
	if err != nil {
		return err
	}
	defer closeHTTP()
	defer s.part()
	return s.run(drain, abort)
}

// run is the whole life of a service: it waits for the database, brings the
// bookkeeping up to date, and moves records until drain or abort is done.
func (s *service) run(drain, abort context.Context) error {
	s.log.Info("starting", slog.String("version", s.build.version), slog.String("writer", s.writer),
		slog.String("guarantee", s.guarantee), slog.Any("limits", s.limits))
	s.reach(drain)
	if err := s.prepare(drain); err != nil {
		if drain.Err() != nil {
			return aborted(abort)
		}
		return err
	}
	watch, unwatch := context.WithCancel(drain)
	var watching sync.WaitGroup
	watching.Go(func() { s.watchIncidents(watch) })
	defer watching.Wait()
	defer unwatch()
	ended := make(chan error, 1)
	go func() { ended <- s.flow.Run(drain, abort) }()
	select {
	case err := <-ended:
		return errors.Join(err, aborted(abort))
	case <-drain.Done():
	}
	s.log.Info("draining", slog.Duration("for", s.cfg.DrainTimeout))
	late := time.NewTimer(s.cfg.DrainTimeout + grace)
	defer late.Stop()
	select {
	case err := <-ended:
		return errors.Join(err, aborted(abort))
	case <-late.C:
		s.log.Warn("the drain takes too long; what did not land is read again at the next start")
		return nil
	}
}

// aborted is the error of a run that a second signal ended.
func aborted(abort context.Context) error {
	if errors.Is(context.Cause(abort), errAborted) {
		return errAborted
	}
	return nil
}
