package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

// newLogger logs as SINKD_LOG_LEVEL and SINKD_LOG_FORMAT say; every line
// carries the pipeline.
func newLogger(w io.Writer, c *config.Config) *slog.Logger {
	var level slog.Level
	// The values were checked when the configuration was loaded.
	_ = level.UnmarshalText([]byte(c.LogLevel))
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: readable}
	var h slog.Handler
	if c.LogFormat == "text" || c.LogFormat == "" && isTerminal(w) {
		h = slog.NewTextHandler(w, options)
	} else {
		h = slog.NewJSONHandler(w, options)
	}
	return slog.New(h).With(slog.String("pipeline", c.Pipeline))
}

// readable writes durations as people do, where JSON would have nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// isTerminal tells whether a person reads what is written to w, or writes what
// is read from it: the null device is a character device too.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
