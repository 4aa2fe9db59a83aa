package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sinkd/sinkd/integration/lab"
)

// built is where binary put the program; empty where no test asked for it.
var built string

// binary builds cmd/sinkd once a test binary, with the race detector where the
// tests have it. LAB_SINKD names one that was built before.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("LAB_SINKD"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "sinkd-binary-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "sinkd")
	args := []string{"build", "-pgo=off", "-o", path}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "../cmd/sinkd")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build sinkd: %w\n%s", err, out)
	}
	return path, nil
})

// env is the environment of a sinkd process, SINKD_ variables only.
type env map[string]string

// with gives a copy with more variables: name, value, name, value ...
func (e env) with(pairs ...string) env {
	out := maps.Clone(e)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// service is a running sinkd process.
type service struct {
	*lab.Process
	t    testing.TB
	addr string
}

// start runs sinkd with the arguments ("run" where there are none) and the
// environment; it is killed when the test ends, and its log shown if it failed.
func start(t testing.TB, e env, args ...string) *service {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if len(args) == 0 {
		args = []string{"run"}
	}
	addr := freeAddr(t)
	e = env{"SINKD_HTTP_ADDR": addr, "SINKD_LOG_FORMAT": "text", "SINKD_LANES": "2"}.with(e.pairs()...)
	p, err := lab.StartProcess(lab.ProcessOptions{Path: path, Args: args, Env: e.list()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Kill()
		for _, sign := range []string{"WARNING: DATA RACE", "\npanic: ", "\nfatal error: "} {
			if bytes.Contains(p.Output(), []byte(sign)) {
				t.Errorf("sinkd wrote %q", sign)
			}
		}
		if t.Failed() {
			t.Logf("sinkd %s, pid %d:\n%s", strings.Join(args, " "), p.Pid(), p.Output())
		}
	})
	return &service{Process: p, t: t, addr: e["SINKD_HTTP_ADDR"]}
}

func (e env) pairs() []string {
	var out []string
	for k, v := range e {
		out = append(out, k, v)
	}
	return out
}

func (e env) list() []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(e)) {
		out = append(out, k+"="+e[k])
	}
	return out
}

func freeAddr(t testing.TB) string {
	t.Helper()
	addr, err := lab.FreeAddr()
	lab.Require(t, err)
	return addr
}

// exit waits for the end of the process and gives its exit code.
func (s *service) exit(within time.Duration) int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	err := s.Wait(ctx)
	var code *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return code.ExitCode()
	}
	s.t.Fatalf("sinkd did not end within %s: %v\n%s", within, err, s.Tail())
	return -1
}

// term sends SIGTERM and gives the exit code.
func (s *service) term(within time.Duration) int {
	s.t.Helper()
	if err := s.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	return s.exit(within)
}

// ready waits until /readyz answers 200.
func (s *service) ready(within time.Duration) {
	s.t.Helper()
	eventually(s.t, within, "sinkd is not ready", func() error {
		resp, err := s.get(s.t.Context(), "/readyz")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", resp.StatusCode)
		}
		return nil
	})
}

// get asks the service for a page, whose body the caller closes.
func (s *service) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+path, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(req)
}

// metric sums the series of a metric whose labels contain all of the given
// fragments.
func (s *service) metric(name string, fragments ...string) float64 {
	s.t.Helper()
	sum, err := s.tryMetric(s.t.Context(), name, fragments...)
	if err != nil {
		s.t.Fatal(err)
	}
	return sum
}

// tryMetric is metric for goroutines other than the test's.
func (s *service) tryMetric(ctx context.Context, name string, fragments ...string) (float64, error) {
	resp, err := s.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(resp.Body); err != nil {
		return 0, err
	}
	var sum float64
lines:
	for line := range strings.Lines(buf.String()) {
		if !strings.HasPrefix(line, name+"{") && !strings.HasPrefix(line, name+" ") {
			continue
		}
		for _, f := range fragments {
			if !strings.Contains(line, f) {
				continue lines
			}
		}
		var v float64
		if _, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &v); err != nil {
			return 0, err
		}
		sum += v
	}
	return sum, nil
}

// status gives /api/status decoded.
func (s *service) status() map[string]any {
	s.t.Helper()
	resp, err := s.get(s.t.Context(), "/api/status")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// eventually asks until there is no error any more; it fails the test when the
// time is up.
func eventually(t testing.TB, within time.Duration, what string, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s after %s: %v", what, within, err)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}
