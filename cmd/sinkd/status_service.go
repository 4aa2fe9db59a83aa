package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/cmd/sinkd/web"
	"github.com/sinkd/sinkd/store"
)

// errNoHTTP tells that no service listens.
var errNoHTTP = errors.New("SINKD_HTTP_ADDR is off")

// ask asks the service at SINKD_HTTP_ADDR.
func ask(ctx context.Context, c *config.Config, path string) (code int, body []byte, err error) {
	if c.HTTPAddr == "" {
		return 0, nil, errNoHTTP
	}
	host, port, err := net.SplitHostPort(c.HTTPAddr)
	if err != nil {
		return 0, nil, usageError{err}
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return 0, nil, err
	}
	if c.HTTPToken != "" {
		r.Header.Set("Authorization", "Bearer "+c.HTTPToken)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	return answer.StatusCode, body, err
}

// askReady asks the service's own probe.
func askReady(p *program) error {
	c, err := p.load(config.Nothing)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, 3*time.Second)
	defer cancel()
	code, body, err := ask(ctx, c, "/readyz")
	p.printf("%s", body)
	switch {
	case errors.Is(err, errNoHTTP):
		return usageError{fmt.Errorf("--ready: %w", err)}
	case errors.As(err, new(usageError)):
		return err
	case err != nil:
		return hinted{err, "no service answers", "start sinkd run, or mend SINKD_HTTP_ADDR"}
	case code != http.StatusOK:
		return errFound
	}
	return nil
}

// askWork asks the service where the time of its last batches went, nil where
// none of this pipeline's answers.
func askWork(ctx context.Context, c *config.Config, st *store.Status) *web.Work {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, body, err := ask(ctx, c, "/api/status")
	var answer struct {
		Pipeline, Writer string
		Work             *web.Work
	}
	ours := func(p store.PartitionStatus) bool { return p.Writer == answer.Writer }
	if err != nil || json.Unmarshal(body, &answer) != nil || answer.Pipeline != st.Pipeline || !slices.ContainsFunc(st.Partitions, ours) {
		return nil
	}
	return answer.Work
}

// printWork prints where time went, and what follows.
func printWork(w io.Writer, k *web.Work) {
	if k == nil {
		return
	}
	s := &k.Stages
	all := max(s.Wait+s.Build+s.Copy+s.Merge+s.Commit, 1e-9)
	percent := func(part float64) int { return int(100*part/all + .5) }
	_, _ = fmt.Fprintf(w, "\nWhere the time of the last batches went (%d, of the process that listens here): wait %d %%, build %d %%, copy %d %%, merge %d %%, commit %d %%",
		k.Batches, percent(s.Wait), percent(s.Build), percent(s.Copy), percent(s.Merge), percent(s.Commit))
	if k.Bound != "" {
		_, _ = fmt.Fprint(w, "; behind, so it is bound by "+k.Bound)
	}
	_, _ = fmt.Fprintln(w)
}
