package web

import (
	"crypto/subtle"
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
	var lag int64
	var age float64
	for i := range s.Partitions {
		lag, age = lag+s.Partitions[i].Lag, max(age, s.Partitions[i].LagSeconds)
	}
	return fmt.Sprintf("%s, %d partitions, %s", text, len(s.Partitions), Behind(age, true, lag))
}

// Config is what the handler shows.
type Config struct {
	// Token, where set, is asked for by all but the probes.
	Token   string
	Metrics prometheus.Gatherer
	Status  func() Status
	// Page collects what the page shows; without it there is none, and / answers
	// one line.
	Page *Page
}

// Handler answers /livez, /readyz and the page without its data to anybody,
// and its data, /api/status, /api/batches, /metrics and, only where a token is
// set, /debug/pprof to who has the token. Programs that do not ask for HTML
// get one line in place of the page, which is data.
func Handler(cfg Config) http.Handler {
	h := &handler{cfg: cfg}
	inner := http.NewServeMux()
	inner.HandleFunc("GET /{$}", h.sentence)
	if cfg.Page != nil {
		inner.HandleFunc("GET /api/events", cfg.Page.serveEvents)
		inner.HandleFunc("GET /api/batches", cfg.Page.serveBatches)
	}
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
	guarded := h.guard(inner)
	outer.Handle("/", guarded)
	if cfg.Page != nil {
		outer.Handle("GET /assets/", files())
		page := shell(cfg.Token != "")
		outer.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Vary", "Accept")
			if browses(r) {
				page(w, r)
				return
			}
			guarded.ServeHTTP(w, r)
		})
	}
	return careful(outer)
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
	answer := struct {
		Status
		Work *Work `json:"work,omitempty"`
	}{Status: h.cfg.Status()}
	if h.cfg.Page != nil {
		answer.Work = h.cfg.Page.work(&answer.Status)
	}
	answerJSON(w, answer)
}
