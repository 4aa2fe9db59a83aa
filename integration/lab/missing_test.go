package lab_test

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/sinkd/sinkd/integration/lab"
)

// verdict is a test that tells how Require ended it.
type verdict struct {
	testing.TB
	ended string
}

func (v *verdict) Helper()      {}
func (v *verdict) Name() string { return "verdict" }
func (v *verdict) Skip(...any)  { v.ended = "skipped"; runtime.Goexit() }
func (v *verdict) Fatal(...any) { v.ended = "failed"; runtime.Goexit() }

func TestRequire(t *testing.T) {
	missing := fmt.Errorf("start: %w", lab.Missing{Part: "Java", Fix: "apt-get install default-jre-headless"})
	for _, tt := range []struct {
		name, ci string
		err      error
		want     string
	}{
		{"nothing wrong", "true", nil, ""},
		{"missing in CI", "true", missing, "failed"},
		{"missing elsewhere", "", missing, "skipped"},
		{"broken elsewhere", "", errors.New("broken"), "failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("CI", tt.ci)
			v, done := new(verdict), make(chan struct{})
			go func() {
				defer close(done)
				lab.Require(v, tt.err)
			}()
			<-done
			if v.ended != tt.want {
				t.Errorf("%q, want %q", v.ended, tt.want)
			}
		})
	}
}
