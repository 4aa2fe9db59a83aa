package integration_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/sinkd/sinkd/integration/lab"
)

// victim is a replica of the kill campaign, behind a proxy of its own.
type victim struct {
	world  *world
	name   string
	env    env
	proxy  *lab.Proxy
	s      *service
	plan   []strike
	struck map[string]int
	// began is when the campaign did, log what happened since.
	began time.Time
	log   []string
}

func newVictim(w *world, name string, plan []strike, pairs ...string) *victim {
	e, proxy := w.proxied("SINKD_BATCH_MAX_RECORDS", "200", "SINKD_BATCH_INTERVAL", "0s",
		"SINKD_DEAD_LETTER_LIMIT", "off", "SINKD_KAFKA_SESSION_TIMEOUT", campaignSession.String())
	e = e.with(pairs...)
	proxy.MatchCopies()
	proxy.Latency(3 * time.Millisecond) // there is nearly always a transaction to hit
	v := &victim{
		world: w, name: name, env: e, proxy: proxy, plan: plan,
		struck: make(map[string]int), began: time.Now(),
	}
	v.s = start(w.t, e)
	return v
}

// suffer goes through the plan. Before each strike the replica has to be at
// work, so that it hits something.
func (v *victim) suffer(ctx context.Context) error {
	for i, s := range v.plan {
		if err := v.s.atWork(ctx); err != nil {
			return fmt.Errorf("%s, before cycle %d, %s: %w", v.name, i+1, s.name, err)
		}
		pause(ctx, s.lull)
		v.note("%s for %s", s.name, s.hold)
		struck, err := s.do(v, ctx, s)
		if err != nil {
			return fmt.Errorf("%s, cycle %d, %s: %w", v.name, i+1, s.name, err)
		}
		if struck {
			v.struck[s.name]++
		} else {
			v.note("%s did not strike", s.name)
		}
	}
	return v.s.atWork(ctx)
}

func (v *victim) note(format string, args ...any) {
	at := time.Since(v.began).Round(time.Millisecond)
	v.log = append(v.log, fmt.Sprintf("%9s %s", at, fmt.Sprintf(format, args...)))
}

// tell shows what happened.
func (v *victim) tell() {
	v.world.t.Logf("%s:\n%s", v.name, strings.Join(v.log, "\n"))
}

// atWork waits until the process has committed a batch from now on.
func (s *service) atWork(ctx context.Context) error {
	before := -1.0
	return await(ctx, 90*time.Second, func() error {
		if s.Ended() {
			return fmt.Errorf("it ended by itself: %s", s.Tail())
		}
		asking, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		n, err := s.tryMetric(asking, "sinkd_batches_total", `outcome="committed"`)
		switch {
		case err != nil:
			return err
		case before < 0:
			before = n
		}
		if n == before {
			return fmt.Errorf("it has committed nothing: %s", s.Tail())
		}
		return nil
	})
}

// await asks until there is no error any more; eventually for goroutines other
// than the test's.
func await(ctx context.Context, within time.Duration, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", within, err)
		}
	}
}

// pause is how long a fault lasts.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// restart starts the replica again.
func (v *victim) restart() { v.s = start(v.world.t, v.env) }

func (v *victim) kill(context.Context, strike) (bool, error) {
	err := v.s.Kill()
	v.restart()
	return true, err
}

// zombie kills the process while its session is stalled inside COPY: the
// server goes on holding the position rows, until the next claim ends it.
func (v *victim) zombie(ctx context.Context, s strike) (bool, error) {
	fault := v.proxy.StallInCopy(s.bytes, 1)
	if !v.fired(ctx, fault) {
		return false, nil
	}
	err := v.s.Kill()
	v.restart()
	pause(ctx, s.hold)
	fault.Release()
	return true, err
}

func (v *victim) stop(ctx context.Context, s strike) (bool, error) {
	if err := v.s.Pause(); err != nil {
		return false, err
	}
	pause(ctx, s.hold)
	return true, v.s.Resume()
}

// outlive stops the replica until its partitions are the other's, who had to
// wait for the position rows and to end what holds them.
func (v *victim) outlive(ctx context.Context, s strike) (bool, error) {
	s.hold += campaignSession + 5*time.Second
	return v.stop(ctx, s)
}

func (v *victim) terminate(ctx context.Context, _ strike) (bool, error) {
	if err := v.s.Signal(syscall.SIGTERM); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	err := v.s.Wait(ctx)
	v.restart()
	return true, err
}

func (v *victim) cutBeforeCommit(ctx context.Context, _ strike) (bool, error) {
	return v.fired(ctx, v.proxy.CutBeforeCommit(1)), nil
}

func (v *victim) cutAfterCommit(ctx context.Context, _ strike) (bool, error) {
	return v.fired(ctx, v.proxy.CutAfterCommit(1)), nil
}

func (v *victim) cutInCopy(ctx context.Context, s strike) (bool, error) {
	return v.fired(ctx, v.proxy.CutInCopy(s.bytes, 1)), nil
}

func (v *victim) stallInCopy(ctx context.Context, s strike) (bool, error) {
	return v.stall(ctx, v.proxy.StallInCopy(s.bytes, 1), s), nil
}

func (v *victim) stallBeforeCommit(ctx context.Context, s strike) (bool, error) {
	return v.stall(ctx, v.proxy.StallBeforeCommit(1), s), nil
}

func (v *victim) stallAfterCommit(ctx context.Context, s strike) (bool, error) {
	return v.stall(ctx, v.proxy.StallAfterCommit(1), s), nil
}

func (v *victim) refuse(ctx context.Context, _ strike) (bool, error) {
	v.proxy.Refuse()
	v.proxy.CutAll()
	pause(ctx, time.Second)
	return true, v.proxy.Accept()
}

func (v *victim) freeze(ctx context.Context, s strike) (bool, error) {
	v.proxy.Freeze()
	pause(ctx, s.hold)
	v.proxy.Thaw()
	return true, nil
}

// endBackend ends one session of either replica.
func (v *victim) endBackend(_ context.Context, s strike) (bool, error) {
	ended, err := ask[bool](v.world, `
		WITH s AS (SELECT pid, row_number() OVER (ORDER BY pid) - 1 AS n, count(*) OVER () AS total
		             FROM pg_stat_activity WHERE application_name LIKE 'sinkd/%' AND datname = current_database())
		SELECT pg_terminate_backend(pid) FROM s WHERE n = $1 % total`, s.nth)
	return len(ended) > 0, err
}

// stall holds what the fault has stalled.
func (v *victim) stall(ctx context.Context, f *lab.Fault, s strike) bool {
	defer f.Release()
	if !v.fired(ctx, f) {
		return false
	}
	pause(ctx, s.hold)
	return true
}

// fired waits for a fault, and disarms it where it does not strike.
func (v *victim) fired(ctx context.Context, f *lab.Fault) bool {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	defer f.Disarm()
	return f.Wait(ctx) == nil
}
