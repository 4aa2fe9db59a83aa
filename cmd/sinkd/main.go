// Command sinkd moves Kafka topics into PostgreSQL tables exactly once.
//
// The package owns the wiring: arguments, signals, exit codes and one file for
// each command. It holds no rule of the flow, of formats or of SQL.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// commands are the command line. Each command's Run is handed the program.
type commands struct {
	Run         runCommand       `cmd:"" help:"Move records from Kafka to PostgreSQL until stopped."`
	Check       checkCommand     `cmd:"" help:"Tell whether run would work, and what is to mend."`
	DryRun      dryRunCommand    `cmd:"" name:"dry-run" help:"Write a batch of each topic, show what would become of it, and take it back."`
	Infer       inferCommand     `cmd:"" help:"Propose a table for a topic, from a sample of its records."`
	Status      statusCommand    `cmd:"" help:"Tell how far the pipeline is."`
	Verify      verifyCommand    `cmd:"" help:"Prove that each record took effect once; 1 where it did not, or cannot be proved."`
	Pause       pauseCommand     `cmd:"" help:"Pause the pipeline, a topic or a partition."`
	Resume      resumeCommand    `cmd:"" help:"Go on after a pause."`
	Offsets     offsetsCommand   `cmd:"" help:"List positions, set them, or adopt a pipeline."`
	DeadLetters lettersCommand   `cmd:"" name:"dead-letters" help:"List, show, replay and discard records that cannot be written."`
	Incidents   incidentsCommand `cmd:"" help:"List what needs a person, and acknowledge it."`
	Migrate     migrateCommand   `cmd:"" help:"Make, show or remove the bookkeeping tables."`
	Config      configCommand    `cmd:"" help:"Print the configuration in force, without secrets."`
	Version     versionCommand   `cmd:"" help:"Print the version."`
}

// program is what a command may use of the world.
type program struct {
	ctx            context.Context
	env            []string
	stdout, stderr io.Writer
	wait           wait
}

// run is main without the process: it answers the exit code.
func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	var c commands
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("sinkd"),
		kong.Description("Moves Kafka topics into PostgreSQL tables, exactly once. The configuration is in the environment: see `sinkd config`."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "sinkd:", err)
		return exitFailed
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // --help has printed all there is.
		return exited
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "sinkd: %s; see sinkd --help\n", err)
		return exitUsage
	}
	p := &program{ctx: ctx, env: env, stdout: stdout, stderr: stderr}
	stop := p.telling()
	err = parsed.Run(p)
	stop()
	if text := message(err); text != "" {
		_, _ = fmt.Fprintln(stderr, text)
	}
	return exitCode(err)
}

// load reads the configuration.
func (p *program) load(need config.Need) (*config.Config, error) {
	return config.Load(p.env, need)
}

// books reads the configuration of a command that works on the bookkeeping
// tables, and refuses where there are none.
func (p *program) books(need config.Need) (*config.Config, error) {
	c, err := p.load(need)
	if err == nil && c.Idempotent() {
		err = errNoBooks
	}
	return c, err
}

// printf writes to the standard output. That it is closed is no failure of
// ours.
func (p *program) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.stdout, format, args...)
}

// message is what is printed of an error at the end: problems of the
// configuration line by line, nothing for a finding that was printed already.
func message(err error) string {
	var problems config.Problems
	switch {
	case err == nil, errors.Is(err, errFound):
		return ""
	case errors.As(err, &problems):
		return problems.Error()
	}
	return "sinkd: " + oneLine(err.Error())
}
