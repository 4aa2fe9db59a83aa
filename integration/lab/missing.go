package lab

import (
	"errors"
	"fmt"
	"os"
	"testing"
)

// Missing is the error for a part that cannot be had on this machine.
type Missing struct {
	Part  string
	Fix   string // the command that brings it
	Cause error
}

// Error names the part and the command that brings it.
func (m Missing) Error() string {
	s := fmt.Sprintf("%s is missing; %s brings it", m.Part, m.Fix)
	if m.Cause != nil {
		s += ": " + m.Cause.Error()
	}
	return s
}

// Unwrap gives the cause.
func (m Missing) Unwrap() error { return m.Cause }

// Require ends the test where err is not nil. A part that cannot be had
// (Missing) fails it where CI=true, and skips it loudly elsewhere; any other
// error fails it everywhere.
func Require(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var missing Missing
	if errors.As(err, &missing) && os.Getenv("CI") != "true" {
		fmt.Fprintf(os.Stderr, "\n!!! SKIPPED %s: %v\n\n", t.Name(), err)
		t.Skip(err)
	}
	t.Fatal(err)
}
