package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/stream"
	"github.com/sinkd/sinkd/transform"
)

// newWriter makes the name that tells this process from its replicas: 8 hex
// digits.
func newWriter() string { return fmt.Sprintf("%08x", rand.Uint32()) }

// storeConfig is what the store is told.
func storeConfig(c *config.Config, writer string) store.Config {
	return store.Config{
		URL:              c.DatabaseURL,
		Schema:           c.Schema,
		Pipeline:         c.Pipeline,
		Writer:           writer,
		Group:            c.KafkaGroup,
		StatementTimeout: c.StatementTimeout,
		LockTimeout:      c.LockTimeout,
		Lanes:            c.Lanes,
		DeadLetterLimit:  c.DeadLetterLimit.Count,
		DeadLetterPer:    c.DeadLetterLimit.Per,
		StopOnBadRecord:  c.OnBadRecord == "stop",
		Idempotent:       c.Idempotent(),
	}
}

// openStore opens the store of a command other than run.
func openStore(c *config.Config) (*store.Store, error) {
	s, err := store.Open(storeConfig(c, newWriter()))
	if err != nil {
		return nil, badURL(err)
	}
	return s, nil
}

// openBooks reads the configuration and opens the store of a command that works
// on the bookkeeping tables; closeStore ends it.
func (p *program) openBooks(need config.Need) (*config.Config, *store.Store, error) {
	c, err := p.books(need)
	if err != nil {
		return nil, nil, err
	}
	s, err := openStore(c)
	return c, s, err
}

// closeStore ends the sessions of a command.
func closeStore(s *store.Store) {
	ctx, cancel := context.WithTimeout(context.Background(), parting)
	defer cancel()
	s.Close(ctx)
}

// badURL is what the store finds wrong with what it is told: all but the URL
// was checked before.
func badURL(err error) error {
	return usageError{hinted{err, "SINKD_DATABASE_URL cannot be used", "mend it, and see sinkd config"}}
}

// kafka says how the brokers are reached.
func kafka(c *config.Config) stream.Kafka {
	return stream.Kafka{
		Brokers:          c.KafkaBrokers,
		Group:            c.KafkaGroup,
		ClientID:         c.KafkaClientID,
		InstanceID:       c.KafkaInstanceID,
		Rack:             c.KafkaRack,
		SessionTimeout:   c.KafkaSessionTimeout,
		RebalanceTimeout: c.KafkaRebalanceTimeout,
		ReadUncommitted:  c.KafkaIsolation == "read_uncommitted",
		TLS:              c.TLS,
		SASL:             stream.SASL{Mechanism: c.KafkaSASLMechanism, Username: c.KafkaSASLUsername, Password: c.Password},
	}
}

// subscription gives the names and patterns of all routes.
func subscription(routes []*sinkd.Route) (names []string, patterns []*regexp.Regexp) {
	for _, r := range routes {
		for _, topic := range r.Topics {
			if !slices.Contains(names, topic) {
				names = append(names, topic)
			}
		}
		if r.Pattern != nil {
			patterns = append(patterns, r.Pattern)
		}
	}
	return names, patterns
}

// modes gives the routes' write modes, each once, as labels and logs have them.
func modes(routes []*sinkd.Route) string {
	var names []string
	for _, r := range routes {
		if !slices.Contains(names, string(r.Mode)) {
			names = append(names, string(r.Mode))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// flowConfig is what the flow is told.
func flowConfig(c *config.Config, s *store.Store, log *slog.Logger) stream.Config {
	names, patterns := subscription(c.Routes)
	return stream.Config{
		Kafka:         kafka(c),
		Topics:        names,
		Patterns:      patterns,
		Start:         stream.Start(c.Start),
		SkipLost:      c.OnDataLoss == "skip",
		Lanes:         c.Lanes,
		BatchInterval: c.BatchInterval,
		BatchRecords:  c.BatchMaxRecords,
		BatchBytes:    int64(c.BatchMaxBytes),
		BatchTarget:   c.BatchTarget,
		MaxRate:       c.MaxRatePerPartition,
		Memory:        int64(c.Memory),
		DrainTimeout:  c.DrainTimeout,
		StepTimeout:   c.StatementTimeout,

		ForeignKeyWait: c.ForeignKeyWait,

		Store:      s,
		Idempotent: c.Idempotent(),
		Upkeep:     upkeep(c, s),
		Catalog:    newCatalog(s, c.Routes),
		NewEncoder: func() stream.Encoder {
			return transform.NewEncoder(transform.Options{Routes: c.Routes, MaxRecordBytes: int(c.MaxRecordBytes)})
		},
		Logger: log,
	}
}

// upkeep is what becomes of old bookkeeping, where any is kept.
func upkeep(c *config.Config, s *store.Store) stream.Upkeep {
	if c.Idempotent() {
		return stream.Upkeep{}
	}
	return stream.Upkeep{Keeper: s, LedgerDetail: c.LedgerDetail, LetterRetention: c.DeadLetterRetention}
}

// beside is what the process needs of memory beside the records in flight.
const beside = 64 << 20

// limitMemory has the runtime keep to the budget, unless GOMEMLIMIT says what to
// keep to. Records in flight have no pointers, so the garbage collector is cheap
// all the same at its usual pace.
func limitMemory(env []string, budget config.Size) {
	given := slices.ContainsFunc(env, func(e string) bool { name, value, _ := strings.Cut(e, "="); return name == "GOMEMLIMIT" && value != "" })
	if !given {
		debug.SetMemoryLimit(int64(min(budget, math.MaxInt64-beside)) + beside)
	}
}
