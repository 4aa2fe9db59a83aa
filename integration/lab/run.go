package lab

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// Run is the body of a TestMain: it runs the tests, ends and removes whatever
// they started through the lab, and gives the exit code, which is 1 also where
// goroutines were left behind. The lab is only made when a test needs it. On
// Ctrl-C, SIGTERM and SIGHUP it cleans up before the signal has its effect.
func Run(m *testing.M) int {
	current.Lock()
	current.testing = true
	current.Unlock()
	stop := cleanOnSignal()
	code := m.Run()
	err := closeCurrent()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab: cleaning up:", err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "lab: goroutines are left after the tests:", err)
			code = 1
		}
	}
	return code
}

// LeakOptions lets goleak overlook the goroutines of a running lab, for tests
// that look for leaks of their own before Run does.
func LeakOptions() []goleak.Option {
	const lab = "github.com/sinkd/sinkd/integration/lab."
	return []goleak.Option{
		goleak.IgnoreAnyFunction(lab + "(*spawner).loop"),
		goleak.IgnoreAnyFunction(lab + "(*Process).reap"),
		goleak.IgnoreAnyFunction(lab + "cleanOnSignal.func1"),
		goleak.IgnoreTopFunction("os/signal.loop"),
		goleak.IgnoreAnyFunction("os/signal.loop"),
	}
}

func cleanOnSignal() (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-quit:
		case sig := <-signals:
			_ = closeCurrent()
			signal.Reset()
			_ = syscall.Kill(os.Getpid(), sig.(syscall.Signal))
		}
	}()
	return func() {
		signal.Stop(signals)
		close(quit)
		<-done
	}
}

func closeCurrent() error {
	current.Lock()
	l := current.lab
	current.testing = false // nothing is started any more
	current.Unlock()
	if l == nil {
		return nil
	}
	return l.Close()
}
