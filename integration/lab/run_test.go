package lab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/sinkd/sinkd/integration/lab"
)

// scenario is the variable that makes TestScenario play one of the ways in
// which a test binary ends.
const scenario = "SINKD_LAB_SCENARIO"

// started is what TestScenario tells about what it has started.
type started struct {
	Pids    []int
	Segment string // of shared memory
}

// TestScenario is not a test: TestNothingIsLeft runs it in a process of its
// own.
func TestScenario(t *testing.T) {
	end := os.Getenv(scenario)
	if end == "" {
		t.Skip("played by TestNothingIsLeft")
	}
	p := lab.SharedPostgres(t)
	stopped, err := lab.StartProcess(lab.ProcessOptions{Path: "sleep", Args: []string{"1000"}})
	must(t, err)
	must(t, stopped.Pause())
	proxy, err := lab.StartProxy(p.URL())
	must(t, err)
	stall := proxy.StallBefore("SELECT", 0)
	go func() { _, _ = queryThrough(proxy.URL(p.URL())) }()
	must(t, stall.Wait(t.Context()))

	pidfile, err := os.ReadFile(filepath.Join(p.Data(), "postmaster.pid"))
	must(t, err)
	segment := strings.Fields(strings.Split(string(pidfile), "\n")[6])[1]
	report, err := json.Marshal(started{[]int{p.Pid(), stopped.Pid()}, segment})
	must(t, err)
	fmt.Printf("STARTED %s\n", report)
	switch end {
	case "pass":
	case "server killed":
		must(t, p.Kill())
	case "fail":
		t.Fatal("as asked")
	case "panic":
		panic("as asked")
	case "panic elsewhere":
		go panic("as asked")
		select {}
	case "wait":
		<-t.Context().Done()
	}
}

func queryThrough(url string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	var s string
	return s, conn.QueryRow(ctx, "SELECT 'x'").Scan(&s)
}

func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, end string
		signal    syscall.Signal
		ends      string
	}{
		{"pass", "pass", 0, "exit status 0"},
		{"server killed", "server killed", 0, "exit status 0"},
		{"fail", "fail", 0, "exit status 1"},
		{"panic", "panic", 0, "exit status 2"},
		{"panic in a goroutine", "panic elsewhere", 0, "exit status 2"},
		{"ctrl-c", "wait", syscall.SIGINT, "signal: interrupt"},
		{"terminated", "wait", syscall.SIGTERM, "signal: terminated"},
		{"killed", "wait", syscall.SIGKILL, "signal: killed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			temp := publicTemp(t)
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestScenario$", "-test.v")
			cmd.Env = append(os.Environ(), scenario+"="+tt.end, "TMPDIR="+temp)
			log, err := os.Create(filepath.Join(t.TempDir(), "log"))
			must(t, err)
			defer log.Close()
			cmd.Stdout, cmd.Stderr = log, log
			must(t, cmd.Start())
			what, ok := awaitStarted(t, log.Name())
			if ok && tt.signal != 0 {
				must(t, cmd.Process.Signal(tt.signal))
			}
			_ = cmd.Wait()
			if got := cmd.ProcessState.String(); got != tt.ends || !ok {
				text, _ := os.ReadFile(log.Name())
				t.Fatalf("it ended with %s, want %s; it wrote:\n%s", got, tt.ends, text)
			}
			gone(t, temp, what)
		})
	}
}

// awaitStarted waits until a scenario tells what it has started.
func awaitStarted(t *testing.T, log string) (started, bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(log)
		must(t, err)
		_, after, found := strings.Cut(string(text), "STARTED ")
		line, _, whole := strings.Cut(after, "\n")
		if found && whole {
			var what started
			must(t, json.Unmarshal([]byte(line), &what))
			return what, true
		}
		if strings.Contains(string(text), "\nFAIL") {
			break
		}
	}
	return started{}, false
}

// gone waits until processes, files and shared memory are away.
func gone(t *testing.T, temp string, what started) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		left = nil
		for _, pid := range what.Pids {
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				left = append(left, "process "+strconv.Itoa(pid))
			}
		}
		_ = filepath.WalkDir(temp, func(path string, _ fs.DirEntry, _ error) error {
			if path != temp {
				left = append(left, path)
			}
			return nil
		})
		segments, _ := os.ReadFile("/proc/sysvipc/shm")
		for line := range strings.Lines(string(segments)) {
			if f := strings.Fields(line); len(f) > 1 && f[1] == what.Segment {
				left = append(left, "shared memory "+what.Segment)
			}
		}
		if len(left) == 0 {
			return
		}
	}
	t.Errorf("left: %s", strings.Join(left[:min(len(left), 10)], ", "))
}

func TestLeakOptions(t *testing.T) {
	lab.SharedPostgres(t)
	if err := goleak.Find(lab.LeakOptions()...); err != nil {
		t.Error(err)
	}
}

// publicTemp makes a temporary directory that the user of Postgres can enter.
func publicTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sinkd-test-") //nolint:usetesting // t.TempDir is closed to others
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o711))
	return dir
}

func TestSweep(t *testing.T) {
	t.Parallel()
	temp := publicTemp(t)
	old := filepath.Join(temp, "sinkd-lab-1-old")
	young := filepath.Join(temp, "sinkd-lab-1-young")
	for _, dir := range []string{old, young} {
		must(t, os.MkdirAll(filepath.Join(dir, "postgres-1", "data"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600))
	}
	past := time.Now().Add(-time.Minute)
	must(t, os.Chtimes(filepath.Join(old, "lock"), past, past))
	first, err := lab.New(t.Context(), temp)
	must(t, err)
	must(t, os.Chtimes(filepath.Join(first.Dir(), "lock"), past, past))
	second, err := lab.New(t.Context(), temp)
	must(t, err)
	for dir, want := range map[string]bool{old: false, young: true, first.Dir(): true, second.Dir(): true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s: %v, want there=%t", dir, err, want)
		}
	}
	must(t, first.Close())
	must(t, second.Close())
	must(t, second.Close())
	if _, err := second.StartPostgres(lab.PostgresOptions{}); err == nil {
		t.Error("a closed lab starts a server")
	}
}
