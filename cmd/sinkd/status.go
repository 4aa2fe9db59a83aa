package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/cmd/sinkd/web"
	"github.com/sinkd/sinkd/store"
)

// statusCommand tells how far the pipeline is, as PostgreSQL knows it, or in
// idempotent delivery the brokers.
type statusCommand struct {
	JSON  bool `name:"json" help:"Print JSON."`
	Ready bool `help:"Ask the service at SINKD_HTTP_ADDR whether it is ready: 0 or 1." xor:"what"`
	Locks bool `help:"List the pipeline's database sessions, and who blocks them." xor:"what"`
}

// Help shows an example.
func (statusCommand) Help() string {
	return "Needs SINKD_DATABASE_URL and SINKD_PIPELINE only (with SINKD_DELIVERY=idempotent the brokers and the topics); no replica has to run. Where one runs at SINKD_HTTP_ADDR, it tells as well where the time of its last batches went, and what bounds it while it is behind. --locks tells from any machine what the sessions of all replicas do, for how long, and by which process ids they are blocked.\n\nExample:\n\n    sinkd status --json | jq .partitions\n    sinkd status --locks"
}

// Run prints the status.
func (s *statusCommand) Run(p *program) error {
	if s.Ready {
		return askReady(p)
	}
	if s.Locks {
		return s.locks(p)
	}
	c, err := p.load(config.Database)
	if err != nil {
		return err
	}
	if c.Idempotent() {
		return s.group(p)
	}
	st, err := readStatus(p.ctx, c)
	if err != nil {
		return err
	}
	work := askWork(p.ctx, c, st)
	if s.JSON {
		return printJSON(p.stdout, struct {
			State    string `json:"state"`
			Sentence string `json:"sentence"`
			*store.Status
			Work *web.Work `json:"work,omitempty"`
		}{stateOf(st), sentence(st), st, work})
	}
	if err := printStatus(p.stdout, st); err != nil {
		return err
	}
	printWork(p.stdout, work)
	return nil
}

// readStatus reads the pipeline's state from PostgreSQL.
func readStatus(ctx context.Context, c *config.Config) (*store.Status, error) {
	s, err := openStore(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(ctx)
	defer cancel()
	defer s.Close(ctx)
	st, err := s.Status(ctx)
	return &st, database(err)
}

// fresh is how old the last observation of a partition may be for its writer
// to count as running: three of its intervals.
const fresh = 30 * time.Second

// stateOf gives the pipeline's state in one word.
func stateOf(st *store.Status) string {
	halted, running := false, false
	for i := range st.Partitions {
		p := &st.Partitions[i]
		halted = halted || p.Halted != ""
		running = running || p.Observed != nil && p.Released == nil && st.Now.Sub(*p.Observed) < fresh
	}
	switch {
	case st.Started == nil && len(st.Partitions) == 0:
		return "new"
	case st.Paused:
		return "paused"
	case halted:
		return "halted"
	case running:
		return "running"
	}
	return "stopped"
}

// sentence says how the pipeline is, in one line.
func sentence(st *store.Status) string {
	var lag int64
	var age float64
	var last time.Time
	known := true
	for i := range st.Partitions {
		p := &st.Partitions[i]
		if p.Lag != nil {
			lag += *p.Lag
		}
		if p.Seconds != nil {
			age = max(age, *p.Seconds)
		}
		known = known && p.Seconds != nil
		if p.LastCommit != nil && p.LastCommit.After(last) {
			last = *p.LastCommit
		}
	}
	state := stateOf(st)
	switch state {
	case "new":
		return "pipeline " + st.Pipeline + " was never started"
	case "halted":
		state = halts(st)
	default:
		state += ","
	}
	text := fmt.Sprintf("pipeline %s: %s exactly-once, %s", st.Pipeline, state, web.Behind(age, known, lag))
	if !last.IsZero() {
		text += ", last commit " + ago(st.Now.Sub(last))
	}
	if open := int64(len(st.Incidents)); open > 0 {
		text += "; " + counted(open, "open incident") + ", see sinkd incidents list"
	}
	return text
}

// halts says that partitions are halted: the first, with the cause.
func halts(st *store.Status) string {
	text, n := "halted", 0
	for i := range st.Partitions {
		p := &st.Partitions[i]
		if p.Halted == "" {
			continue
		}
		if n++; n == 1 {
			text += fmt.Sprintf(": %s, %s", sinkd.Partition{Topic: p.Topic, ID: p.Partition}, web.Cause(p.Halted))
		}
	}
	if n > 1 {
		text += fmt.Sprintf(", and %d more", n-1)
	}
	return text + ";"
}

// ago gives a time that has passed, as people say it.
func ago(d time.Duration) string {
	unit := time.Second
	if d < 10*time.Second {
		unit = 100 * time.Millisecond
	}
	return max(d, 0).Round(unit).String() + " ago"
}

// printStatus prints the sentence, then a line for each partition.
func printStatus(w io.Writer, st *store.Status) error {
	_, _ = fmt.Fprintln(w, sentence(st))
	if len(st.Partitions) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "\nPARTITION\tPOSITION\tEND\tBEHIND\tAGE\tSTATE\tLAST COMMIT\tWRITER")
	for i := range st.Partitions {
		p := &st.Partitions[i]
		_, _ = fmt.Fprintf(table, "%s[%d]\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Topic, p.Partition, p.Next,
			number(p.End), number(p.Lag), recordAge(p), partitionState(p), commitAge(st, p), p.Writer)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for topic, n := range st.DeadLetters {
		_, _ = fmt.Fprintf(w, "\n%s of topic %s", counted(n, "dead letter"), topic)
	}
	if len(st.DeadLetters) > 0 {
		_, _ = fmt.Fprintln(w)
	}
	return nil
}

func number(n *int64) string {
	if n == nil {
		return "?"
	}
	return fmt.Sprint(*n)
}

// recordAge is that of the oldest record that is not written.
func recordAge(p *store.PartitionStatus) string {
	if p.Seconds == nil {
		return "?"
	}
	return time.Duration(*p.Seconds * float64(time.Second)).Round(100 * time.Millisecond).String()
}

func partitionState(p *store.PartitionStatus) string {
	switch {
	case p.Halted != "":
		return "halted: " + p.Halted
	case p.Paused:
		return "paused"
	case p.Released != nil || p.Writer == "":
		return "free"
	}
	return "claimed"
}

func commitAge(st *store.Status, p *store.PartitionStatus) string {
	if p.LastCommit == nil {
		return "-"
	}
	return ago(st.Now.Sub(*p.LastCommit))
}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // it is for programs and terminals
	return encoder.Encode(v)
}
