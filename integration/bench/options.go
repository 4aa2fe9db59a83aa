package main

import (
	"flag"
	"regexp"
	"time"
)

// options are the flags.
type options struct {
	run        *regexp.Regexp
	records    int
	large      int
	rounds     int
	samples    int
	seed       uint64
	settle     time.Duration
	limit      time.Duration
	sinkd      string
	against    string
	env        []string
	profile    string
	reportOnly bool
}

// parse reads the flags. Problems are printed by the flag package.
func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.Func("run", "measure only what matches the `regexp`, such as append/4$ or latency", func(s string) (err error) {
		o.run, err = regexp.Compile(s)
		return err
	})
	fs.IntVar(&o.records, "records", 1_000_000, "records of a topic; wide ones are a quarter of it")
	fs.IntVar(&o.large, "large", 3_000, "records of 1 MB each in the backlogs that memory is measured with")
	fs.IntVar(&o.rounds, "rounds", 3, "rounds of each comparison")
	fs.IntVar(&o.samples, "samples", 200, "records whose delay is measured, in each way")
	fs.Uint64Var(&o.seed, "seed", 1, "seed of the data")
	fs.DurationVar(&o.settle, "settle", 10*time.Second, "longest wait before each run for other programs to come to rest")
	fs.DurationVar(&o.limit, "limit", 5*time.Minute, "longest that one run may take")
	fs.StringVar(&o.sinkd, "sinkd", "", "`path` of the binary; without it ./cmd/sinkd is built")
	fs.StringVar(&o.against, "against", "", "`path` of another binary, which takes turns with the first where psql does")
	fs.Func("env", "`NAME=value` that sinkd is given in addition; may be repeated", func(s string) error {
		o.env = append(o.env, s)
		return nil
	})
	fs.StringVar(&o.profile, "profile", "", "`directory` to leave a CPU profile of each way sinkd was run")
	fs.BoolVar(&o.reportOnly, "report-only", false, "exit 0 also where a bar is missed")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if o.run == nil {
		o.run = regexp.MustCompile("")
	}
	o.rounds, o.samples = max(o.rounds, 1), max(o.samples, 1)
	return o, nil
}
