package config

import (
	"strconv"
	"strings"
	"time"
)

// valueError tells what is wrong with a value, without the value, and how to
// write it.
type valueError struct{ wrong, fix string }

// Error gives both, on one line.
func (e valueError) Error() string { return e.wrong + "; " + e.fix }

// List is a value of several parts, separated by commas.
type List []string

// UnmarshalText splits the text at commas; blanks around a part, and empty
// parts, are dropped.
func (l *List) UnmarshalText(text []byte) error {
	*l = split(string(text))
	return nil
}

func split(text string) []string {
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// Size is a number of bytes, written as 16MiB.
type Size int64

// UnmarshalText reads a whole number with one of the units B, KiB, MiB, GiB,
// KB, MB and GB, or none for bytes.
func (s *Size) UnmarshalText(text []byte) error {
	number := strings.TrimRight(string(text), "BKMGikmg ")
	factor, ok := unit(strings.TrimSpace(string(text)[len(number):]))
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !ok || n < 0 || n > (1<<62)/factor {
		return valueError{"is not a size", "write it like 512KiB, 16MiB or 1GiB"}
	}
	*s = Size(n * factor)
	return nil
}

func unit(name string) (factor int64, ok bool) {
	switch name {
	case "", "B":
		return 1, true
	case "KiB":
		return 1 << 10, true
	case "MiB":
		return 1 << 20, true
	case "GiB":
		return 1 << 30, true
	case "kB", "KB":
		return 1e3, true
	case "MB":
		return 1e6, true
	case "GB":
		return 1e9, true
	}
	return 1, false
}

// String gives the size in the largest unit that it is a whole number of.
func (s Size) String() string {
	switch {
	case s == 0:
		return "0"
	case s%(1<<30) == 0:
		return strconv.FormatInt(int64(s>>30), 10) + "GiB"
	case s%(1<<20) == 0:
		return strconv.FormatInt(int64(s>>20), 10) + "MiB"
	case s%(1<<10) == 0:
		return strconv.FormatInt(int64(s>>10), 10) + "KiB"
	}
	return strconv.FormatInt(int64(s), 10)
}

// Limit is a number of events in a span of time, written as 1000/1h. The zero
// limit is none.
type Limit struct {
	Count int
	Per   time.Duration
}

// UnmarshalText reads a limit.
func (l *Limit) UnmarshalText(text []byte) error {
	bad := valueError{"is not a limit", "write it like 1000/1h, or off for none"}
	count, per, _ := strings.Cut(string(text), "/")
	n, err := strconv.ParseInt(strings.TrimSpace(count), 10, 32)
	if err != nil || n < 0 {
		return bad
	}
	d, err := time.ParseDuration(strings.TrimSpace(per))
	if err != nil || d <= 0 {
		return bad
	}
	l.Count, l.Per = int(n), d
	return nil
}

// Start is the start policy: latest, the first record at or after a time, or,
// where it is zero, earliest.
type Start struct {
	Latest bool
	Time   time.Time
}

// UnmarshalText reads a start policy.
func (s *Start) UnmarshalText(text []byte) error {
	switch string(text) {
	case "earliest":
		*s = Start{}
		return nil
	case "latest":
		*s = Start{Latest: true}
		return nil
	}
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return valueError{"is not a start", "write earliest, latest or a time like 2026-01-31T12:00:00Z"}
	}
	*s = Start{Time: t}
	return nil
}
