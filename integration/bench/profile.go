package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sinkd/sinkd/integration/lab"
)

// profileRun runs a variant once more, outside of the rounds, and leaves the
// CPU profile that sinkd itself takes. A profile that is not done when sinkd
// ends is lost, so it covers, in whole seconds, about half of what the run took
// before.
func (b *bench) profileRun(ctx context.Context, c *contest, v variant, before *result) error {
	seconds := int(before.median(func(s sample) float64 { return s.wall.Seconds() })*0.5 + 0.4)
	if seconds < 1 {
		b.say("%s ends too early for a profile: give more -records", v.name)
		return nil
	}
	if err := c.table(ctx, b); err != nil {
		return err
	}
	const token = "bench"
	addr, err := lab.FreeAddr()
	if err != nil {
		return err
	}
	env := append([]string{"SINKD_HTTP_TOKEN=" + token, "SINKD_HTTP_ADDR=" + addr}, v.env...)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	fetched := make(chan error, 1)
	path := filepath.Join(b.opts.profile, strings.ReplaceAll(v.name, "/", "-")+".pprof")
	go func() {
		fetched <- fetchProfile(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", addr, seconds), token, path)
	}()
	_, err = b.sinkdRun(ctx, load{topic: topicName(c.data, v.partitions), records: c.records, env: env})
	cancel()
	if failed := <-fetched; err == nil {
		err = failed
	}
	if err == nil {
		b.say("CPU profile of %d s: go tool pprof %s", seconds, path)
	}
	return err
}

// fetchProfile asks until there is an answer, and keeps it.
func fetchProfile(ctx context.Context, url, token, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	var resp *http.Response
	for resp == nil {
		if resp, err = http.DefaultClient.Do(req); err != nil && !sleep(ctx, 5*time.Millisecond) {
			return fmt.Errorf("profile: %w", err)
		}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s", resp.Status)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, resp.Body); err != nil {
		_ = f.Close()
		return fmt.Errorf("profile: %w", err)
	}
	return f.Close()
}
