package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
)

func TestExitCodes(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{errFound, 1},
		{errAborted, 1},
		{errors.New("anything"), 1},
		{&stream.HaltedError{Partitions: make([]sinkd.Position, 1)}, 1},
		{&sinkd.Error{Class: sinkd.Configuration}, 1},
		{config.Problems{{Variable: "SINKD_TOPICS"}}, 2},
		{usageError{errors.New("a URL that does not parse")}, 2},
		{fmt.Errorf("run: %w", &store.GroupError{Have: "a", Want: "b"}), 2},
		{database(errors.New("connection refused")), 3},
		{database(&sinkd.Error{Class: sinkd.Transient, SQLState: "28P01", Err: errors.New("no")}), 3},
		{database(&sinkd.Error{Class: sinkd.Configuration, SQLState: "42501", Err: errors.New("no")}), 1},
		{errors.Join(errFound, unreachableError{errors.New("no broker")}), 3},
	} {
		if code := exitCode(test.err); code != test.code {
			t.Errorf("%v gives %d in place of %d", test.err, code, test.code)
		}
	}
}

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"one":                               "one",
		"two\n\tlines  here\n":              "two lines here",
		"no way: a: refused\n\ta: refused":  "no way: a: refused",
		"no way:\n a: refused\n b: refused": "no way: a: refused b: refused",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("%q gives %q in place of %q", text, got, want)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	debug.SetMemoryLimit(math.MaxInt64)
	limitMemory([]string{"GOMEMLIMIT=1GiB"}, 256<<20)
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("GOMEMLIMIT was overridden with %d", got)
	}
	limitMemory([]string{"GOMEMLIMIT="}, 256<<20)
	if got := debug.SetMemoryLimit(-1); got != 320<<20 {
		t.Errorf("limit %d in place of %d", got, 320<<20)
	}
}

func TestLogger(t *testing.T) {
	for _, test := range []struct{ level, format, want string }{
		{"info", "", `"level":"INFO","msg":"hello","pipeline":"orders"`},
		{"info", "json", `"msg":"hello"`},
		{"debug", "text", "level=INFO msg=hello pipeline=orders"},
		{"warn", "text", ""},
	} {
		c := &config.Config{Variables: config.Variables{Pipeline: "orders", LogLevel: test.level, LogFormat: test.format}}
		var b bytes.Buffer
		newLogger(&b, c).Info("hello")
		if !strings.Contains(b.String(), test.want) || test.want == "" && b.Len() > 0 {
			t.Errorf("%s %s: %q", test.level, test.format, b.String())
		}
	}
	var b bytes.Buffer
	newLogger(&b, &config.Config{}).Info("waiting", slog.Duration("next", 1500*time.Millisecond))
	if !strings.Contains(b.String(), `"next":"1.5s"`) {
		t.Errorf("a duration is written as %s", b.String())
	}
	if newLogger(&bytes.Buffer{}, &config.Config{Variables: config.Variables{LogLevel: "debug"}}).Enabled(t.Context(), slog.LevelDebug-1) {
		t.Error("debug logs more than debug")
	}
}
