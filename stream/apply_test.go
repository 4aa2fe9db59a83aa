package stream

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sinkd/sinkd"
)

// refuser is a store and a catalog that refuse batches, and reads of tables, by
// a script: nil lets one through, and so does the script's end.
type refuser struct {
	Store
	mu            sync.Mutex
	batches, read []error
	reads         int
	landed        int
	halted        []string
}

func (r *refuser) Apply(_ context.Context, _ int, b *sinkd.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := next(&r.batches)
	if err == nil {
		r.landed += b.Records()
	}
	return err
}

func (r *refuser) Table(context.Context, string) (*sinkd.Table, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads++
	return &sinkd.Table{}, next(&r.read)
}

func (r *refuser) Extend(context.Context, string, []sinkd.NewColumn) error { return nil }

func (r *refuser) Halt(_ context.Context, c *sinkd.Claim, _ int64, i sinkd.Incident) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.halted = append(r.halted, c.Topic+": "+i.Detail)
	return true, nil
}

func next(script *[]error) error {
	if len(*script) == 0 {
		return nil
	}
	err := (*script)[0]
	*script = (*script)[1:]
	return err
}

// lane is a lane over a refuser, to land batches by hand.
func (r *refuser) lane() *lane {
	f := &Flow{
		cfg: Config{
			BatchRecords: 1000, BatchBytes: 1 << 20, BatchTarget: time.Second,
			Store: r, Catalog: r, NewEncoder: func() Encoder { return blank{} },
		},
		budget: newBudget(1 << 30), metrics: NewMetrics(prometheus.NewRegistry(), "p"), log: slog.New(slog.DiscardHandler),
		assigned: assignment{parts: map[sinkd.Partition]*part{}},
	}
	f.health, f.caught = newHealth(f), newCaughtUp(f)
	f.lanes = []*lane{newLane(f, 0)}
	return f.lanes[0]
}

func TestCatalogIsReadAgain(t *testing.T) {
	refused := func(class sinkd.Class, text string) error {
		return &sinkd.Error{Class: class, Topic: "t", Err: errors.New(text)}
	}
	changed, away := refused(sinkd.Schema, "changed"), refused(sinkd.Transient, "away")
	for name, test := range map[string]struct {
		batches, read []error
		reads, landed int
		halted        []string
	}{
		"mended by it":            {batches: []error{changed}, reads: 1, landed: 10},
		"once":                    {batches: []error{changed, changed}, reads: 1, halted: []string{"t: changed"}},
		"the catalog names it":    {batches: []error{changed}, read: []error{refused(sinkd.Configuration, "fix")}, reads: 1, halted: []string{"t: fix"}},
		"the catalog is out":      {batches: []error{changed, changed}, read: []error{away}, reads: 2, landed: 10},
		"data behind the change":  {batches: []error{changed, refused(sinkd.Data, "bad")}, reads: 1, landed: 10},
		"transient in between":    {batches: []error{changed, away, away}, reads: 1, landed: 10},
		"configuration from both": {batches: []error{refused(sinkd.Configuration, "no")}, halted: []string{"t: no"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &refuser{batches: test.batches, read: test.read}
				l := r.lane()
				q := l.with(0, 10)
				l.flow.assigned.parts[q.claim.Partition] = &part{Partition: q.claim.Partition, queue: q, phase: running}
				l.land(t.Context(), l.cut().batch, false)
				if r.reads != test.reads || r.landed != test.landed || !slices.Equal(r.halted, test.halted) {
					t.Errorf("%d reads, %d landed, halted %q", r.reads, r.landed, r.halted)
				}
			})
		})
	}
}

// A lane whose batch keeps failing is not well because the database answers
// others.
func TestRetryingLaneIsNotReady(t *testing.T) {
	r := &refuser{}
	l := r.lane()
	f := l.flow
	failing := func() bool { _, _, failing := f.health.failingNow(); return failing }
	err := &sinkd.Error{Err: errors.New("disk full")}
	f.health.retrying(0, err, time.Second)
	f.health.failing(err, time.Second)
	f.health.up(postgres)
	f.health.moved(1)
	if !failing() {
		t.Error("another's answer ended it")
	}
	f.health.moved(0)
	if failing() {
		t.Error("it is done, and fails")
	}
}
