package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

// run is main without the process: it answers the exit code, 1 where a bar is
// missed or something went wrong.
func run(args []string) int {
	opts, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	results, err := measure(ctx, opts)
	missed := printBars(os.Stdout, bars(results))
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	if missed && !opts.reportOnly {
		return 1
	}
	return 0
}

// measure runs the chosen scenarios one after the other. One that fails does
// not keep the others from being measured.
func measure(ctx context.Context, opts options) ([]result, error) {
	chosen := choose(scenarios(opts), opts.run)
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-run %s matches nothing; there are: %s", opts.run, names(scenarios(opts)))
	}
	b, err := open(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer b.close()
	var results []result
	var failed []error
	for _, s := range chosen {
		got, err := s.measure(ctx, b)
		results = append(results, got...)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.title(), err))
			b.say("%s failed", s.title())
		}
		if ctx.Err() != nil {
			break
		}
	}
	return results, errors.Join(failed...)
}
