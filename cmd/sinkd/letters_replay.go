package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"
	"text/tabwriter"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
	"github.com/sinkd/sinkd/transform"
)

// lettersReplay is dead-letters replay.
type lettersReplay struct {
	chosen
	why
	ToTopic string `help:"Send the records, as they were, to this topic in place of the table." placeholder:"TOPIC"`
	Limit   int64  `help:"Take so many at most; 0 = all." placeholder:"N"`
	DryRun  bool   `help:"Do it, tell what became of them, and take it back."`
	Force   bool   `help:"Also in upsert mode where nothing tells whether the table's rows are newer."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Help shows an example.
func (lettersReplay) Help() string {
	return "Takes the dead letters that are chosen, all of the pipeline without a filter, out of dead_letters and writes their rows, as run would by now: after the table or the mapping was mended. Rows and letters go together in one transaction, so nothing is lost or doubled if it is cut off; run may go on meanwhile. Letters that are still bad stay, with the reason; 1 if there are any.\n\nExample:\n\n    sinkd dead-letters replay --topic orders --where \"sqlstate = '23514'\" --dry-run"
}

// Run replays letters.
func (r *lettersReplay) Run(p *program) error {
	f, err := r.filter()
	if err == nil && r.Limit < 0 {
		err = usageError{errors.New("--limit wants a number that is not negative")}
	}
	if err != nil {
		return err
	}
	c, s, err := p.openBooks(config.Flow)
	if err != nil {
		return err
	}
	defer closeStore(s)
	replay := &store.Replay{LetterFilter: f, Operator: r.operator(), Limit: r.Limit, DryRun: r.DryRun, Force: r.Force}
	if r.ToTopic == "" {
		replay.Encode = newReplayer(c, s, r.DryRun).encode
	} else {
		sender, err := r.sender(p.ctx, c)
		if err != nil {
			return err
		}
		defer sender.Close()
		replay.Send, replay.Topic = sender.Send, r.ToTopic
	}
	var taken atomic.Int64
	replay.Progress = func(so store.Replayed) { taken.Store(so.Taken()) }
	done := p.busy(func() string { return counted(taken.Load(), "dead letter") + " taken so far ..." })
	out, err := s.Replay(p.ctx, replay)
	done()
	return r.tell(p, c, out, err)
}

// tell prints what became of the letters, also of those before an error.
func (r *lettersReplay) tell(p *program, c *config.Config, out *store.Replayed, failed error) error {
	if failed == nil || out.Taken() > 0 {
		var err error
		if r.JSON {
			err = printJSON(p.stdout, out)
		} else {
			err = printReplayed(p.stdout, out, r.DryRun)
		}
		if err != nil {
			return err
		}
	}
	if failed != nil {
		return r.explain(c, failed)
	}
	if out.Bad+out.Held > 0 {
		return errFound
	}
	return nil
}

// sender opens the way to the topic.
func (r *lettersReplay) sender(ctx context.Context, c *config.Config) (*stream.Sender, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	if err := answering(ctx, c); err != nil {
		return nil, err
	}
	sender, err := stream.NewSender(ctx, kafka(c), r.ToTopic)
	if errors.Is(err, stream.ErrNoTopic) {
		return nil, err
	}
	if err != nil {
		return nil, unreachableKafka(c, err)
	}
	return sender, nil
}

// replayer makes the rows of letters, as a lane does.
type replayer struct {
	encoder *transform.Encoder
	catalog *catalog
	// still tells that no table may be changed.
	still bool
}

func newReplayer(c *config.Config, s *store.Store, still bool) *replayer {
	routes := c.Routes
	if still {
		routes = make([]*sinkd.Route, len(c.Routes))
		for i, r := range c.Routes {
			as := *r
			as.Create = false
			routes[i] = &as
		}
	}
	return &replayer{
		encoder: transform.NewEncoder(transform.Options{Routes: routes, MaxRecordBytes: int(c.MaxRecordBytes)}),
		catalog: newCatalog(s, routes), still: still,
	}
}

// supplies is how often the encoder may lack something for one batch.
const supplies = 5

// encode makes the batch's rows.
func (r *replayer) encode(ctx context.Context, b *sinkd.Batch) error {
	for range supplies {
		needs := r.encoder.Encode(b)
		if len(needs) == 0 {
			return nil
		}
		for _, n := range needs {
			if err := r.supply(ctx, n); err != nil {
				return err
			}
		}
	}
	return errors.New("columns that were added to the table are gone again")
}

func (r *replayer) supply(ctx context.Context, n sinkd.Need) error {
	if sinkd.RouteOf(r.catalog.routes, n.Topic) == nil {
		return fmt.Errorf("no route takes topic %s; add one, or choose letters by --topic", n.Topic)
	}
	if len(n.Columns) > 0 {
		if r.still {
			return fmt.Errorf("topic %s: its table lacks the column %s, which a replay would add", n.Topic, n.Columns[0].Name)
		}
		if err := r.catalog.Extend(ctx, n.Topic, n.Columns); err != nil {
			return err
		}
	}
	t, err := r.catalog.Table(ctx, n.Topic)
	if err != nil {
		return err
	}
	return r.encoder.Supply(n.Topic, t)
}

func printReplayed(w io.Writer, out *store.Replayed, dry bool) error {
	if out.Taken() == 0 {
		_, _ = fmt.Fprintln(w, "no dead letters")
		return nil
	}
	if dry {
		_, _ = fmt.Fprintln(w, "a dry run: nothing was changed")
	}
	for _, line := range []struct {
		n    int64
		text string
	}{
		{out.Landed, "written"},
		{out.Skipped, "without effect: by the mode, or what the table has is newer"},
		{out.Sent, "sent"},
		{out.Obsolete, "removed, since their records were read again after them"},
		{out.Ahead, "left, since their records are read again: the position lies before them"},
		{out.Held, "left: tombstones that may be older than what the table has"},
		{out.Bad, "left, still bad"},
	} {
		if line.n > 0 {
			_, _ = fmt.Fprintf(w, "%s %s\n", counted(line.n, "dead letter"), line.text)
		}
	}
	return printReasons(w, out.Reasons)
}

// maxReasons bounds the reasons that are printed.
const maxReasons = 20

func printReasons(w io.Writer, reasons map[string]int64) error {
	if len(reasons) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "\nCOUNT\tWHY THEY STAY")
	sorted := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int { return int(reasons[b] - reasons[a]) })
	for _, reason := range sorted[:min(len(sorted), maxReasons)] {
		_, _ = fmt.Fprintf(table, "%d\t%s\n", reasons[reason], oneLine(reason))
	}
	return table.Flush()
}
