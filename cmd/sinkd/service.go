package main

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/cmd/sinkd/web"
	"github.com/sinkd/sinkd/migrations"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
)

// service is one process of a pipeline, with all that it is made of.
type service struct {
	cfg       *config.Config
	build     build
	log       *slog.Logger
	writer    string
	guarantee string
	limits    []string
	registry  *prometheus.Registry
	incidents *prometheus.GaugeVec
	metrics   *stream.Metrics
	traces    *traces
	store     *store.Store
	flow      *stream.Flow
	page      *web.Page
	// hide ends the page, which asks the store.
	hide func()
	// waiting is the state for as long as the flow has not begun.
	waiting atomic.Pointer[stream.State]
}

// newService wires a service. Nothing is connected yet.
func newService(p *program, c *config.Config, r *runCommand) (*service, error) {
	log := newLogger(p.stderr, c)
	s := &service{cfg: c, build: readBuild(), log: log, writer: newWriter(), hide: func() {}}
	s.guarantee, s.limits = guarantee(c)
	s.wait("starting", "PostgreSQL is being asked")
	s.registry = web.Registry(c.Pipeline, web.Info{
		Version: s.build.version, Revision: s.build.revision,
		Delivery: c.Delivery, Mode: modes(c.Routes), Isolation: c.KafkaIsolation,
	}, s.status)
	s.incidents = newIncidentGauge(s.registry, c.Pipeline)

	sc := storeConfig(c, s.writer)
	sc.Logger, sc.Metrics = log, store.NewMetrics(s.registry, c.Pipeline)
	var err error
	if s.store, err = store.Open(sc); err != nil {
		return nil, badURL(err)
	}
	if s.traces, err = newTraces(p.env, s); err != nil {
		return nil, err
	}
	fc := flowConfig(c, s.store, log)
	s.metrics = stream.NewMetrics(s.registry, c.Pipeline)
	fc.Metrics = s.metrics
	if s.traces != nil {
		fc.Landed = s.traces.landed
	}
	fc.UntilCaughtUp, fc.MaxBatches = r.UntilCaughtUp, r.MaxBatches
	if s.flow, err = stream.New(fc); err != nil {
		return nil, err
	}
	s.page = web.NewPage(s.pageConfig())
	return s, nil
}

// listen answers by HTTP, where that is not turned off.
func (s *service) listen(ctx context.Context) (closeHTTP func(), err error) {
	if s.cfg.HTTPAddr == "" {
		return func() {}, nil
	}
	h := web.Handler(web.Config{Token: s.cfg.HTTPToken, Metrics: s.registry, Status: s.status, Page: s.page})
	server, err := web.Listen(ctx, s.cfg.HTTPAddr, h, s.log)
	if err != nil {
		return nil, hinted{err, "SINKD_HTTP_ADDR cannot be listened on", "set another address, or off"}
	}
	s.log.Info("listening", slog.String("address", server.Addr()))
	s.show(ctx)
	return server.Close, nil
}

// show keeps the page up to date, beyond the end of ctx, until hide is called.
func (s *service) show(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var showing sync.WaitGroup
	showing.Go(func() { s.page.Run(ctx) })
	s.hide = func() {
		cancel()
		showing.Wait()
	}
}

// reach connects to the brokers, and to the database for claims, while the
// bookkeeping is brought up to date. Whoever needs what it does not get tries
// again, and says so.
func (s *service) reach(ctx context.Context) {
	go func() { _ = s.flow.Reach(ctx) }()
	if !s.cfg.Idempotent() {
		go func() { _ = s.store.Reach(ctx) }()
	}
}

// prepare waits for the database and brings the bookkeeping up to date. It
// tries without end; errors are what waiting does not mend.
func (s *service) prepare(ctx context.Context) error {
	began := time.Now()
	pause := 100 * time.Millisecond
	for {
		err := s.migrate(ctx)
		var rights *migrations.RightsError
		var old *migrations.TooOldError
		switch {
		case err == nil:
			s.waiting.Store(nil)
			return nil
		case ctx.Err() != nil, errors.As(err, &rights), errors.As(err, &old):
			return err
		}
		err = database(err)
		in := pause/2 + rand.N(pause)
		s.wait("retrying", "since "+began.Format(time.TimeOnly)+": "+oneLine(err.Error()))
		s.log.Warn("waiting for PostgreSQL", slog.String("error", oneLine(err.Error())), slog.Duration("next", in))
		select {
		case <-time.After(in):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		pause = min(2*pause, 5*time.Second)
	}
}

// migrate brings the bookkeeping up to date, once; where none is kept, it asks
// whether the database answers.
func (s *service) migrate(ctx context.Context) error {
	if s.cfg.Idempotent() {
		return s.store.Ping(ctx)
	}
	url, err := s.cfg.DatabaseURL()
	if err != nil {
		return err
	}
	return migrations.Up(ctx, url, s.cfg.Schema)
}

// part closes the sessions, within the time that is left for that.
func (s *service) part() {
	s.hide()
	ctx, cancel := context.WithTimeout(context.Background(), parting)
	defer cancel()
	s.store.Close(ctx)
	s.traces.close(ctx)
}

// wait notes why the flow has not begun.
func (s *service) wait(phase, reason string) {
	s.waiting.Store(&stream.State{Phase: phase, Reason: reason, Live: true, Memory: int64(s.cfg.Memory)})
}

// status is what the service shows of itself.
func (s *service) status() web.Status {
	st := web.Status{
		Pipeline: s.cfg.Pipeline, Version: s.build.version, Writer: s.writer,
		Guarantee: s.guarantee, Limits: s.limits,
	}
	if waiting := s.waiting.Load(); waiting != nil {
		st.State = *waiting
	} else {
		st.State = s.flow.State()
	}
	return st
}

// incidentInterval is how often open incidents and dead letters are counted.
const incidentInterval = 10 * time.Second

// newIncidentGauge makes sinkd_incidents, with all kinds at zero.
func newIncidentGauge(reg prometheus.Registerer, pipeline string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sinkd_incidents", Help: "Open incidents.", ConstLabels: prometheus.Labels{"pipeline": pipeline},
	}, []string{"kind"})
	reg.MustRegister(g)
	for _, kind := range []string{
		sinkd.DataLost, sinkd.TopicRecreated, sinkd.ClusterChanged, sinkd.PositionMissing, sinkd.FetchFailed,
		sinkd.DeadLetterLimit, sinkd.AllBad, sinkd.BadRecord, sinkd.Refused,
	} {
		g.WithLabelValues(kind).Set(0)
	}
	return g
}

// watchIncidents counts the open incidents and the dead letters every now and
// then. Where they cannot be read the last count stands.
func (s *service) watchIncidents(ctx context.Context) {
	seen := map[string]bool{}
	for {
		if count, err := s.openIncidents(ctx); err == nil {
			for kind := range count {
				seen[kind] = true
			}
			for kind := range seen {
				s.incidents.WithLabelValues(kind).Set(float64(count[kind]))
			}
		}
		s.countLetters(ctx)
		select {
		case <-time.After(incidentInterval):
		case <-ctx.Done():
			return
		}
	}
}

// countLetters counts the dead letters, where the database keeps them.
func (s *service) countLetters(ctx context.Context) {
	if s.cfg.Idempotent() {
		return
	}
	if count, err := s.store.DeadLetters(ctx); err == nil {
		s.metrics.DeadLetters(count)
	}
}

// openIncidents counts the open incidents by kind: those that the database
// keeps, or, where it keeps none, what this process has halted.
func (s *service) openIncidents(ctx context.Context) (map[string]int, error) {
	count := map[string]int{}
	if s.cfg.Idempotent() {
		for _, p := range s.flow.State().Partitions {
			if p.Incident != "" {
				count[p.Incident]++
			}
		}
		return count, nil
	}
	open, err := s.store.Incidents(ctx, false)
	for _, i := range open {
		count[i.Kind]++
	}
	return count, err
}
