package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
)

// Config is what a store is told.
type Config struct {
	// URL gives the database's URL or DSN; it is asked at each connect, since
	// a secret may be a file that changes.
	URL func() (string, error)
	// Schema holds the bookkeeping tables.
	Schema string
	// Pipeline is the name that all bookkeeping is keyed by.
	Pipeline string
	// Writer tells this process from the pipeline's other ones: 8 hex digits.
	Writer string
	// Group is the Kafka consumer group, pinned to the pipeline.
	Group string
	// StatementTimeout and LockTimeout are the sessions'; 0 = 60 s and 15 s.
	StatementTimeout, LockTimeout time.Duration
	// Lanes is the number of parallel writers.
	Lanes int
	// DeadLetterLimit is how many dead letters the pipeline may have in
	// DeadLetterPer; 0 = no limit.
	DeadLetterLimit int
	DeadLetterPer   time.Duration
	// StopOnBadRecord refuses batches with dead letters.
	StopOnBadRecord bool
	// Idempotent writes rows and nothing else: no schema of ours is used, and of
	// the methods only Apply, Table, Extend, Creatable, Check, Ping and Close. A batch
	// may be applied more than once, and then gives the same rows.
	Idempotent bool
	// Logger and Metrics may be nil.
	Logger  *slog.Logger
	Metrics *Metrics
}

// Store is the pipeline's side of one database. Its methods may be called from
// any goroutine; a lane is used by one at a time. Every error that comes from
// Postgres, or from not reaching it, is a *sinkd.Error.
type Store struct {
	cfg     Config
	schema  string // of the bookkeeping tables, quoted
	control session
	watch   session
	view    session
	lanes   []*lane
	turns   turns

	mu     sync.Mutex
	ending []*pgconn.PgConn // what pgx closes in the background
}

var (
	pipelineName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
	writerName   = regexp.MustCompile(`^[0-9a-f]{8}$`)
)

// Open makes a store. It checks what it is told, the URL included, and
// connects nowhere yet.
func Open(cfg Config) (*Store, error) {
	switch {
	case !pipelineName.MatchString(cfg.Pipeline):
		return nil, fmt.Errorf("store: pipeline name %q does not match %s", cfg.Pipeline, pipelineName)
	case !writerName.MatchString(cfg.Writer):
		// With it application_name stays within the 63 bytes that Postgres
		// keeps; a cut one would hide a zombie from those who look for it.
		return nil, fmt.Errorf("store: writer %q is not 8 hex digits", cfg.Writer)
	case cfg.Schema == "" || len(cfg.Schema) > 63:
		return nil, fmt.Errorf("store: schema name %q is not 1 to 63 bytes", cfg.Schema)
	case cfg.Lanes < 1:
		return nil, errors.New("store: at least one lane is needed")
	}
	cfg.fill()
	s := &Store{cfg: cfg, schema: pgx.Identifier{cfg.Schema}.Sanitize()}
	s.control.init(s)
	s.watch.init(s)
	s.view.init(s)
	for range cfg.Lanes {
		s.lanes = append(s.lanes, &lane{store: s})
	}
	if _, err := s.parse(); err != nil {
		return nil, err
	}
	return s, nil
}

func (c *Config) fill() {
	c.StopOnBadRecord = c.StopOnBadRecord || c.Idempotent
	if c.StatementTimeout == 0 {
		c.StatementTimeout = 60 * time.Second
	}
	if c.LockTimeout == 0 {
		c.LockTimeout = 15 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(prometheus.NewRegistry(), c.Pipeline)
	}
	if c.Idempotent {
		c.Metrics.commitUnknown.WithLabelValues(again.String())
	}
}

// Close ends all sessions. No lane may be at work.
func (s *Store) Close(ctx context.Context) {
	s.control.close(ctx)
	s.watch.close(ctx)
	s.view.close(ctx)
	for _, l := range s.lanes {
		l.drop()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.ending {
		select {
		case <-conn.CleanupDone():
		case <-ctx.Done():
			return
		}
	}
}

// Reach opens the session that positions are claimed on, which the first call
// that needs it does otherwise.
func (s *Store) Reach(ctx context.Context) error {
	return s.control.do(ctx, func(context.Context, *pgx.Conn) error { return nil })
}

// Ping tells whether the database answers, and takes writes.
func (s *Store) Ping(ctx context.Context) error {
	return s.watch.do(ctx, func(ctx context.Context, conn *pgx.Conn) error { return conn.Ping(ctx) })
}

// discard closes a connection, and remembers it until that is done.
func (s *Store) discard(conn *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = slices.DeleteFunc(s.ending, func(c *pgconn.PgConn) bool {
		select {
		case <-c.CleanupDone():
			return true
		default:
			return false
		}
	})
	s.ending = append(s.ending, conn)
}

// in puts the bookkeeping schema in for {s} in a statement.
func (s *Store) in(sql string) string { return strings.ReplaceAll(sql, "{s}", s.schema) }

// Connect opens the lane's session, which the first Apply does otherwise.
func (s *Store) Connect(ctx context.Context, lane int) error {
	if err := s.lanes[lane].connect(ctx); err != nil {
		return Classify(err)
	}
	return nil
}

// Apply makes the batch take effect on the lane's session: its rows, dead
// letters, ledger and positions, in one transaction. It answers nil where that
// has landed, else a *sinkd.Error, and nothing has landed then; only where the
// class is Transient and the connection was lost at COMMIT may it yet turn out
// to have: the lane remembers, and the next Apply on it finds out first. Lanes
// that deadlocked on a table take turns.
func (s *Store) Apply(ctx context.Context, lane int, b *sinkd.Batch) error {
	return s.applyInTurn(ctx, s.lanes[lane], b)
}
