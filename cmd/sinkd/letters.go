package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
)

// lettersCommand shows dead letters, and gives them their end.
type lettersCommand struct {
	List    lettersList    `cmd:"" help:"List dead letters, or count them by what they have in common."`
	Show    lettersShow    `cmd:"" help:"Show one dead letter whole."`
	Replay  lettersReplay  `cmd:"" help:"Write the rows of dead letters, or send them to a topic."`
	Discard lettersDiscard `cmd:"" help:"Delete dead letters."`
}

// chosen are the flags that choose dead letters.
type chosen struct {
	scope
	Where string `help:"Condition in SQL on the columns of sinkd.dead_letters." placeholder:"SQL"`
}

// filter gives the filter of the flags.
func (c *chosen) filter() (store.LetterFilter, error) {
	in, err := c.in()
	return store.LetterFilter{Scope: in, Where: c.Where}, err
}

// explain tells a condition that Postgres does not understand from what else
// may fail.
func (c *chosen) explain(cfg *config.Config, err error) error {
	var e *sinkd.Error
	if c.Where != "" && errors.As(err, &e) && e.SQLState != "42501" && e.SQLState != "42P01" &&
		(strings.HasPrefix(e.SQLState, "42") || strings.HasPrefix(e.SQLState, "22")) {
		return usageError{hinted{e.Err, "--where", "its columns are those of " + cfg.Schema + ".dead_letters: topic, partition, record_offset, stage, reason, sqlstate, failed_at, ..."}}
	}
	return operated(cfg, err)
}

// lettersList is dead-letters list.
type lettersList struct {
	chosen
	GroupBy string `help:"Count by ${enum}." enum:"reason,topic,sqlstate,stage," default:"" placeholder:"WHAT"`
	Limit   int    `help:"List so many at most, the latest first." default:"50" placeholder:"N"`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Help shows an example.
func (lettersList) Help() string {
	return "Needs SINKD_DATABASE_URL and SINKD_PIPELINE only.\n\nExample:\n\n    sinkd dead-letters list --group-by reason --where \"failed_at > now() - interval '1 day'\""
}

// Run prints letters or groups.
func (l *lettersList) Run(p *program) error {
	f, err := l.filter()
	if err == nil && l.Limit < 1 {
		err = usageError{errors.New("--limit wants a number from 1 on")}
	}
	if err != nil {
		return err
	}
	c, s, err := p.openBooks(config.Database)
	if err != nil {
		return err
	}
	defer closeStore(s)
	done := p.at("reading dead letters")
	defer done()
	if l.GroupBy != "" {
		groups, err := s.LetterGroups(p.ctx, f, l.GroupBy)
		switch {
		case err != nil:
			return l.explain(c, err)
		case l.JSON:
			return printJSON(p.stdout, groups)
		}
		return printGroups(p.stdout, groups, l.GroupBy)
	}
	letters, err := s.Letters(p.ctx, f, l.Limit+1)
	more := len(letters) > l.Limit
	letters = letters[:min(len(letters), l.Limit)]
	switch {
	case err != nil:
		return l.explain(c, err)
	case l.JSON:
		return printJSON(p.stdout, letters)
	}
	return printLetters(p.stdout, letters, more)
}

func printLetters(w io.Writer, letters []store.LetterRow, more bool) error {
	if len(letters) == 0 {
		_, _ = fmt.Fprintln(w, "no dead letters")
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "FAILED\tPARTITION\tOFFSET\tBYTES\tSTAGE\tSQLSTATE\tREASON")
	for i := range letters {
		l := &letters[i]
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", l.Failed.Format(time.RFC3339),
			sinkd.Partition{Topic: l.Topic, ID: l.Partition}, l.Offset, l.Bytes, l.Stage, dash(l.SQLState), oneLine(l.Reason))
	}
	err := table.Flush()
	if more {
		_, _ = fmt.Fprintf(w, "and more: --limit shows them, --group-by reason counts them\n")
	}
	return err
}

func printGroups(w io.Writer, groups []store.LetterGroup, by string) error {
	if len(groups) == 0 {
		_, _ = fmt.Fprintln(w, "no dead letters")
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "COUNT\tFIRST\tLAST\tTHE LATEST ONE\t"+strings.ToUpper(by))
	for i := range groups {
		g := &groups[i]
		_, _ = fmt.Fprintf(table, "%d\t%s\t%s\t%s %d %d\t%s\n", g.Count, g.First.Format(time.RFC3339), g.Last.Format(time.RFC3339),
			g.Topic, g.Partition, g.Offset, dash(oneLine(g.Value)))
	}
	return table.Flush()
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// lettersDiscard is dead-letters discard.
type lettersDiscard struct {
	chosen
	why
	DryRun bool `help:"Only count them."`
	Yes    bool `help:"Do it without asking."`
}

// Help shows an example.
func (lettersDiscard) Help() string {
	return "Deletes the dead letters that are chosen, all of the pipeline without a filter. Their records are gone then, but for what Kafka still holds.\n\nExample:\n\n    sinkd dead-letters discard --topic orders --where \"reason LIKE 'value is not JSON%'\" --yes --reason 'test data'"
}

// Run deletes letters.
func (d *lettersDiscard) Run(p *program) error {
	f, err := d.filter()
	if err != nil {
		return err
	}
	c, s, err := p.openBooks(config.Database)
	if err != nil {
		return err
	}
	defer closeStore(s)
	done := p.at("going through dead letters")
	n, err := s.Discard(p.ctx, f, d.operator(), true)
	done()
	if err != nil {
		return d.explain(c, err)
	}
	if d.DryRun || n == 0 {
		p.printf("%s would be deleted\n", counted(n, "dead letter"))
		return nil
	}
	if err := p.confirm(d.Yes, "dead-letters discard deletes "+counted(n, "dead letter")+" of "+named(c, f.Scope)); err != nil {
		return err
	}
	done = p.at("deleting dead letters")
	n, err = s.Discard(context.WithoutCancel(p.ctx), f, d.operator(), false)
	done()
	if err != nil {
		return d.explain(c, err)
	}
	p.printf("%s deleted\n", counted(n, "dead letter"))
	return nil
}

// lettersShow is dead-letters show.
type lettersShow struct {
	Topic     string `arg:"" help:"The topic."`
	Partition int32  `arg:"" help:"The partition."`
	Offset    int64  `arg:"" help:"The record's offset."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

// Help shows an example.
func (lettersShow) Help() string {
	return "Prints key, value and headers as text where they are text, JSON indented, else in hex.\n\nExample:\n\n    sinkd dead-letters show orders 3 120417"
}

// Run prints the letter.
func (l *lettersShow) Run(p *program) error {
	c, s, err := p.openBooks(config.Database)
	if err != nil {
		return err
	}
	defer closeStore(s)
	at := sinkd.Partition{Topic: l.Topic, ID: l.Partition}
	letter, err := s.Letter(p.ctx, at, l.Offset)
	switch {
	case errors.Is(err, store.ErrNoLetter):
		return hinted{err, at.String() + " offset " + strconv.FormatInt(l.Offset, 10), "sinkd dead-letters list shows what there is"}
	case err != nil:
		return operated(c, err)
	case l.JSON:
		return printJSON(p.stdout, jsonLetter(letter))
	}
	printLetter(p.stdout, letter)
	return nil
}
