package integration_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sinkd/sinkd/integration/lab"
)

// operatorCycles are the strikes against the replicas while an operator works.
const operatorCycles = 20

// gated lets the table refuse some events for as long as its gate is shut.
const gated = `
CREATE TABLE gate (open boolean); INSERT INTO gate VALUES (false);
CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id % 499 = 0 AND NOT (SELECT open FROM gate) THEN
        RAISE EXCEPTION 'not yet';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION guard()`

// TestOperatorUnderKills pauses, sets positions back with their rows and replays
// dead letters, while two replicas are at work under load and are struck again
// and again, and kills some of the commands as well. In the end each record is
// there exactly once, and positions, rows and ledger agree.
func TestOperatorUnderKills(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	t.Parallel()
	seed := *campaignSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d; replay it by -run TestOperatorUnderKills -seed %d", seed, seed)
	w := newWorldAt(t, campaignAddr(t), lab.Database(t), campaignPartitions)
	w.exec(gated)
	plans := plan(seed, operatorCycles, 2)
	victims := make([]*victim, len(plans))
	for i := range victims {
		victims[i] = newVictim(w, fmt.Sprintf("replica %d", i+1), plans[i], "SINKD_LEDGER_DETAIL", "1s")
		victims[i].s.ready(60 * time.Second)
	}
	o := &operator{world: w, random: rand.New(rand.NewPCG(seed, 1)), done: make(map[string]int)}
	stop := w.feed(40, campaignPartitions)
	group, ctx := errgroup.WithContext(t.Context())
	working, ended := context.WithCancel(ctx)
	var at errgroup.Group
	at.Go(func() error { return o.work(working) })
	for _, v := range victims {
		group.Go(func() error { return v.suffer(ctx) })
	}
	err := group.Wait()
	ended()
	worked := at.Wait()
	stop()
	for _, v := range victims {
		v.tell()
	}
	t.Logf("operator: %v\n%s", o.done, strings.Join(o.log, "\n"))
	try(t, err)
	try(t, worked)
	o.finish()
	for _, v := range victims {
		if code := v.s.term(60 * time.Second); code != 0 {
			t.Errorf("%s: exit code %d after SIGTERM", v.name, code)
		}
	}
	w.exact()
	if code := start(t, w.env(), "verify").exit(time.Minute); code != 0 {
		t.Errorf("verify: exit code %d", code)
	}
	landed := query[int64](w, `SELECT coalesce(sum((regexp_match(detail, '^(\d+) landed'))[1]::bigint), 0)::bigint FROM sinkd.operations
		WHERE operation = 'dead-letters replay'`)[0]
	t.Logf("%d records sent, %d dead letters replayed into the table", len(w.sent), landed)
	if landed == 0 {
		t.Error("no dead letter was replayed into the table")
	}
	for _, name := range []string{"pause", "set", "replay"} {
		if o.done[name] == 0 {
			t.Errorf("%s was never done", name)
		}
	}
}

// operator does something every now and then.
type operator struct {
	world  *world
	random *rand.Rand
	done   map[string]int
	log    []string
}

// work does each thing once in a round, in random order, until the context ends;
// what was begun is ended.
func (o *operator) work(ctx context.Context) error {
	round := []func(context.Context) error{o.pause, o.set, o.set, o.replay, o.replay}
	for ctx.Err() == nil {
		for _, n := range o.random.Perm(len(round)) {
			if err := round[n](ctx); err != nil {
				return err
			}
			pause(ctx, time.Duration(100+o.random.IntN(400))*time.Millisecond)
			if ctx.Err() != nil {
				break
			}
		}
	}
	return nil
}

// command runs a command, and kills it now and then; its exit code is -1 then.
func (o *operator) command(mortal bool, args ...string) (code int, err error) {
	s := start(o.world.t, o.world.env(), args...)
	killed := mortal && o.random.IntN(3) == 0
	if killed {
		pause(context.WithoutCancel(o.world.t.Context()), time.Duration(o.random.IntN(300))*time.Millisecond)
		_ = s.Kill()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.world.t.Context()), 90*time.Second)
	defer cancel()
	err = s.Wait(ctx)
	o.log = append(o.log, fmt.Sprintf("%s, killed %t: %v", strings.Join(args, " "), killed, err))
	if ctx.Err() != nil {
		return 0, fmt.Errorf("sinkd %v did not end: %s", args, s.Tail())
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// pause pauses the pipeline or a partition for a while.
func (o *operator) pause(ctx context.Context) error {
	part := []string{}
	if o.random.IntN(2) == 0 {
		part = []string{"--topic", o.world.topic, "--partition", strconv.Itoa(o.random.IntN(campaignPartitions))}
	}
	if _, err := o.command(true, append([]string{"pause"}, part...)...); err != nil {
		return err
	}
	pause(ctx, time.Duration(o.random.IntN(2500))*time.Millisecond)
	o.done["pause"]++
	code, err := o.command(false, append([]string{"resume"}, part...)...)
	if err == nil && code != 0 {
		err = fmt.Errorf("resume: exit code %d", code)
	}
	return err
}

// set sets the position of a partition, or of all of them, back, with its rows.
func (o *operator) set(context.Context) error {
	args := []string{"offsets", "set", "--delete-rows", "--yes"}
	if o.random.IntN(6) == 0 {
		args = append(args, "--to", "earliest")
	} else {
		id := int32(o.random.IntN(campaignPartitions))
		next, err := ask[int64](o.world, `SELECT next_offset FROM sinkd.offsets WHERE partition = $1`, id)
		if err != nil || len(next) == 0 {
			return err
		}
		to := max(0, next[0]-o.random.Int64N(400))
		args = append(args, "--topic", o.world.topic, "--partition", strconv.Itoa(int(id)), "--to", strconv.FormatInt(to, 10))
	}
	code, err := o.command(true, args...)
	if err == nil && code == 0 {
		o.done["set"]++
	}
	return err
}

// replay opens the gate for a while and replays.
func (o *operator) replay(context.Context) error {
	if _, err := ask[bool](o.world, `UPDATE gate SET open = true RETURNING open`); err != nil {
		return err
	}
	code, err := o.command(true, "dead-letters", "replay")
	if err == nil && (code == 0 || code == 1) {
		o.done["replay"]++
	}
	if _, shut := ask[bool](o.world, `UPDATE gate SET open = false RETURNING open`); shut != nil && err == nil {
		err = shut
	}
	return err
}

// finish lets all that is left land.
func (o *operator) finish() {
	w := o.world
	w.t.Helper()
	w.exec(`UPDATE gate SET open = true`)
	if _, err := o.command(false, "resume"); err != nil {
		w.t.Fatal(err)
	}
	eventually(w.t, 2*time.Minute, "not all of it has landed", w.behind)
	if _, err := o.command(false, "dead-letters", "replay"); err != nil {
		w.t.Fatal(err)
	}
}
