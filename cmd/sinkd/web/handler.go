package web

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sinkd/sinkd/stream"
)

// Status is what /api/status answers.
type Status struct {
	Pipeline string `json:"pipeline"`
	Version  string `json:"version"`
	Writer   string `json:"writer"`
	// Guarantee is what the configuration gives, Limits what limits it.
	Guarantee string   `json:"guarantee"`
	Limits    []string `json:"limits"`
	stream.State
}

// Sentence says in one line how the pipeline is.
func (s *Status) Sentence() string {
	delivery, _, _ := strings.Cut(s.Guarantee, ":")
	text := s.Phase + ", " + delivery
	if s.Reason != "" {
		return text + ": " + s.Reason
	}
	var behind int64
	for _, p := range s.Partitions {
		behind += p.Lag
	}
	return fmt.Sprintf("%s, %d partitions, %d records behind", text, len(s.Partitions), behind)
}

// Config is what the handler shows.
type Config struct {
	// Token, where set, is asked for by all but the probes.
	Token   string
	Metrics prometheus.Gatherer
	Status  func() Status
}

// Handler answers /livez and /readyz to anybody, and /, /api/status, /metrics
// and, only where a token is set, /debug/pprof to who has the token.
func Handler(cfg Config) http.Handler {
	h := &handler{cfg: cfg}
	inner := http.NewServeMux()
	inner.HandleFunc("GET /{$}", h.sentence)
	inner.HandleFunc("GET /api/status", h.status)
	inner.Handle("GET /metrics", promhttp.HandlerFor(cfg.Metrics, promhttp.HandlerOpts{}))
	if cfg.Token != "" {
		inner.HandleFunc("GET /debug/pprof/", pprof.Index)
		inner.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		inner.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		inner.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		inner.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	outer := http.NewServeMux()
	outer.HandleFunc("GET /livez", h.live)
	outer.HandleFunc("GET /readyz", h.ready)
	outer.Handle("/", h.guard(inner))
	return outer
}

type handler struct{ cfg Config }

// guard lets only those pass that have the token.
func (h *handler) guard(next http.Handler) http.Handler {
	if h.cfg.Token == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(h.cfg.Token)) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="sinkd"`)
			http.Error(w, "the token of SINKD_HTTP_TOKEN is wanted: Authorization: Bearer ...", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *handler) live(w http.ResponseWriter, _ *http.Request) {
	s := h.cfg.Status()
	h.probe(w, &s, s.Live)
}

func (h *handler) ready(w http.ResponseWriter, _ *http.Request) {
	s := h.cfg.Status()
	h.probe(w, &s, s.Ready)
}

// probe answers 200 or 503. Where a token is set, anybody learns the state,
// and the reason, which can name hosts, stays behind it.
func (h *handler) probe(w http.ResponseWriter, s *Status, good bool) {
	if !good {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if h.cfg.Token != "" {
		_, _ = fmt.Fprintln(w, s.Phase)
		return
	}
	_, _ = fmt.Fprintln(w, s.Sentence())
}

func (h *handler) sentence(w http.ResponseWriter, _ *http.Request) {
	s := h.cfg.Status()
	_, _ = fmt.Fprintf(w, "sinkd %s, pipeline %s\n%s\n\n/api/status /metrics /livez /readyz\n", s.Version, s.Pipeline, s.Sentence())
}

func (h *handler) status(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(h.cfg.Status())
}
