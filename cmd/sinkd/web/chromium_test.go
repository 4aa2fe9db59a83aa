package web_test

import (
	"context"
	"os/exec"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sinkd/sinkd/integration/lab"
)

// browser starts a Chromium without a window, which ends with the test; each
// chromedp context that is made from what it gives is a tab.
func browser(t testing.TB) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		lab.Require(t, lab.Missing{Part: "Chromium (no chromium, chromium-browser or google-chrome in PATH)", Fix: "apt-get install chromium"})
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	b, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	if err := chromedp.Do(b); err != nil {
		t.Fatal(err)
	}
	return b
}
