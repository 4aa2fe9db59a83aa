package stream

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
)

// growing is an encoder whose topic has a field more than its table.
type growing struct {
	Encoder
	known   bool
	columns int
}

func (g *growing) Encode(*sinkd.Batch) []sinkd.Need {
	switch {
	case !g.known:
		return []sinkd.Need{{Topic: "t"}}
	case g.columns == 0:
		return []sinkd.Need{{Topic: "t", Columns: []sinkd.NewColumn{{Name: "x", Type: "text"}}}}
	}
	return nil
}

func (g *growing) Supply(_ string, t *sinkd.Table) error {
	g.known, g.columns = true, len(t.Columns)
	return nil
}

// changing is a catalog; refusals are what it answers first, and forgetful one
// loses the columns that were added.
type changing struct {
	refusals  []error
	forgetful bool
	added     int
	table     sinkd.Table
}

func (c *changing) Table(context.Context, string) (*sinkd.Table, error) {
	t := c.table
	return &t, nil
}

func (c *changing) Extend(_ context.Context, topic string, columns []sinkd.NewColumn) error {
	if len(c.refusals) > 0 {
		err := c.refusals[0]
		c.refusals = c.refusals[1:]
		return err
	}
	c.added++
	if !c.forgetful {
		c.table.Columns = append(c.table.Columns, sinkd.Column{Name: columns[0].Name})
	}
	return nil
}

func TestColumnsAreAskedForUntilTheyAreThere(t *testing.T) {
	busy := &sinkd.Error{Class: sinkd.Transient, Err: errors.New("busy")}
	for name, c := range map[string]struct {
		catalog changing
		errs    int
		added   int
	}{
		"at once":      {changing{}, 0, 1},
		"after a wait": {changing{refusals: []error{busy, busy}}, 2, 1},
		"never":        {changing{forgetful: true}, 3, 3*maxNeeds - 1},
	} {
		l := newTestLane(1)
		l.encoder, l.flow.cfg.Catalog = &growing{}, &c.catalog
		l.flow.metrics = NewMetrics(prometheus.NewRegistry(), "p")
		errs := 0
		for range 3 {
			err := l.encode(t.Context(), &sinkd.Batch{})
			if err == nil {
				break
			}
			if e := classified(err); e.Class != sinkd.Transient {
				t.Errorf("%s: %v", name, err)
			}
			errs++
		}
		if errs != c.errs || c.catalog.added != c.added {
			t.Errorf("%s: %d errors, added %d times", name, errs, c.catalog.added)
		}
	}
}
