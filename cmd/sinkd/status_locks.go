package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
)

// locks prints what the pipeline's database sessions do, and who blocks them.
func (s *statusCommand) locks(p *program) error {
	c, err := p.load(config.Database)
	if err != nil {
		return err
	}
	db, err := openStore(c)
	if err != nil {
		return err
	}
	defer closeStore(db)
	ctx, cancel := within(p.ctx)
	defer cancel()
	l, err := db.Locks(ctx)
	if err != nil {
		return database(err)
	}
	if s.JSON {
		return printJSON(p.stdout, l)
	}
	return printLocks(p.stdout, &l)
}

// printLocks prints a sentence, the sessions, and those who block them.
func printLocks(w io.Writer, l *store.Locks) error {
	_, _ = fmt.Fprintln(w, locksSentence(l))
	if len(l.Sessions) > 0 {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(table, "\nPID\tWRITER\tSTATE\tCOMMAND\tFOR\tWAITS FOR\tBLOCKED BY")
		for i := range l.Sessions {
			r := &l.Sessions[i]
			_, _ = fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.PID, r.Writer, dash(r.State), dash(r.Command),
				lasting(l.Now.Sub(r.Since)), dash(r.Waits), pids(r.PIDs))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if err := printBlockers(w, l); err != nil {
		return err
	}
	if l.Hint != "" {
		_, _ = fmt.Fprintf(w, "\nThe role may not see all of it: %s\n", l.Hint)
	}
	return nil
}

// printBlockers prints who is waited for, and how one of them is ended.
func printBlockers(w io.Writer, l *store.Locks) error {
	if len(l.Blockers) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "\nBLOCKER\tUSER\tAPPLICATION\tSTATE\tTRANSACTION\tWAITS FOR\tBLOCKED BY")
	var ends []string
	for i := range l.Blockers {
		b := &l.Blockers[i]
		age := "-"
		if b.Since != nil {
			age = lasting(l.Now.Sub(*b.Since))
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", pids([]int32{b.PID}), dash(b.User), dash(oneLine(b.Application)), blockerState(b),
			age, dash(b.Waits), pids(b.PIDs))
		if b.End != "" {
			ends = append(ends, "    "+b.End+";")
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(ends) > 0 {
		_, _ = fmt.Fprintf(w, "\nWhat ends one that is not sinkd's, and takes back what it has under way:\n%s\n", strings.Join(ends, "\n"))
	}
	return nil
}

func locksSentence(l *store.Locks) string {
	blocked := 0
	for i := range l.Sessions {
		if len(l.Sessions[i].PIDs) > 0 {
			blocked++
		}
	}
	if len(l.Sessions) == 0 {
		return "pipeline " + l.Pipeline + " has no session in this database"
	}
	return fmt.Sprintf("pipeline %s: %s, %d blocked", l.Pipeline, counted(len(l.Sessions), "session"), blocked)
}

// blockerState says what a blocker does; what is no client says what it is.
func blockerState(b *store.Blocker) string {
	switch {
	case b.PID == 0:
		return "see pg_prepared_xacts"
	case b.Type == "" && b.User == "":
		return "has ended"
	case b.Type != "" && b.Type != "client backend":
		return b.Type
	}
	return dash(b.State)
}

// pids gives process ids as people read them.
func pids(ids []int32) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.Itoa(int(id))
		if id == 0 {
			words[i] = "prepared"
		}
	}
	return dash(strings.Join(words, ", "))
}

// lasting gives how long something has lasted.
func lasting(d time.Duration) string { return strings.TrimSuffix(ago(d), " ago") }
