package stream

import (
	"context"
	"crypto/tls"
	"log/slog"
	"regexp"
	"time"

	"github.com/sinkd/sinkd"
)

// Config is everything that the flow has to be told.
type Config struct {
	Kafka Kafka
	// Topics are literal names; Patterns match whole names beside them.
	Topics   []string
	Patterns []*regexp.Regexp
	// Start is where a partition begins that was never read.
	Start Start
	// SkipLost goes on after data loss, with the lost range in the ledger,
	// in place of halting the partition.
	SkipLost bool

	Lanes         int
	BatchInterval time.Duration
	// BatchRecords and BatchBytes bound a batch.
	BatchRecords int
	BatchBytes   int64
	// BatchTarget is the commit time that the batch size follows.
	BatchTarget time.Duration
	// MaxRate caps the records of a partition that land in a second; 0 = no cap.
	MaxRate int
	// ForeignKeyWait is how long a row is waited for that a foreign key refers
	// to, before the record is bad data.
	ForeignKeyWait time.Duration
	// Memory is the budget for records in flight, in bytes.
	Memory       int64
	DrainTimeout time.Duration
	// StepTimeout is the longest that one statement of a lane may take.
	StepTimeout time.Duration

	// UntilCaughtUp ends the flow when all partitions have reached the last
	// stable offsets that were listed at its start.
	UntilCaughtUp bool
	// MaxBatches ends the flow after so many committed batches with records;
	// 0 = never.
	MaxBatches int

	Store Store
	// Idempotent keeps the positions in the consumer group and all else in
	// memory: of the Store only Applier and Pinger are used.
	Idempotent bool
	// Upkeep is what becomes of old bookkeeping.
	Upkeep Upkeep
	// Catalog gives a topic's table; it may create it.
	Catalog Catalog
	// NewEncoder makes the encoder of one lane.
	NewEncoder func() Encoder
	Metrics    *Metrics
	Logger     *slog.Logger
	// Landed is told of each batch that landed, by its lane, and keeps nothing of
	// it; nil = nobody is.
	Landed func(*sinkd.Batch)
}

// Kafka says how the brokers are reached.
type Kafka struct {
	Brokers                          []string
	Group                            string
	ClientID, InstanceID, Rack       string
	SessionTimeout, RebalanceTimeout time.Duration
	ReadUncommitted                  bool
	// TLS is nil for plain text.
	TLS  *tls.Config
	SASL SASL
}

// SASL is how a client proves who it is; Mechanism is empty for none, else
// PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
type SASL struct {
	Mechanism, Username string
	// Password is asked for at each connect, so that a rotated secret is seen.
	Password func() (string, error)
}

// Start is the start policy: earliest, latest, or a time.
type Start struct {
	Latest bool
	// Time, where not zero, is the first record's timestamp at the least.
	Time time.Time
}

// String gives the policy as SINKD_START has it.
func (s Start) String() string {
	switch {
	case s.Latest:
		return "latest"
	case !s.Time.IsZero():
		return s.Time.Format(time.RFC3339)
	}
	return "earliest"
}

// Encoder turns the records of a batch into encoded rows and dead letters. It
// is used by one goroutine at a time.
type Encoder interface {
	// Encode fills the batch's rows, dead letters and counts; or nothing, and
	// answers what it lacks.
	Encode(b *sinkd.Batch) []sinkd.Need
	// Supply gives the encoder the table of a topic.
	Supply(topic string, t *sinkd.Table) error
	// Recycle takes the batch's buffers back.
	Recycle(b *sinkd.Batch)
}

// Catalog reads tables, and changes what they lack.
type Catalog interface {
	// Table gives the table of a topic as the database describes it now.
	Table(ctx context.Context, topic string) (*sinkd.Table, error)
	// Extend adds columns to the table of a topic; those that it has by now it
	// leaves alone.
	Extend(ctx context.Context, topic string, columns []sinkd.NewColumn) error
}

// Applier writes a batch and moves its positions, in one transaction.
type Applier interface {
	// Connect opens the session that the lane's batches will use, which the first
	// Apply does otherwise.
	Connect(ctx context.Context, lane int) error
	// Apply answers nil where the batch has landed, else a *sinkd.Error:
	// nothing of the batch landed then.
	Apply(ctx context.Context, lane int, b *sinkd.Batch) error
}

// Claimer takes the right to move positions.
type Claimer interface {
	// Claim takes the rows that are free; locked lists those that another
	// transaction holds. A row in neither list does not exist.
	Claim(ctx context.Context, parts []sinkd.Partition) (claims []sinkd.Claim, locked []sinkd.Partition, err error)
	// ClaimLocked waits for a row that another transaction holds.
	ClaimLocked(ctx context.Context, p sinkd.Partition) (sinkd.Claim, error)
	// Release notes that the writer gave its claims up.
	Release(ctx context.Context, claims []*sinkd.Claim) error
}

// Pinner keeps the identity and the first positions of topics.
type Pinner interface {
	Topics(ctx context.Context) (map[string]sinkd.Topic, error)
	Pin(ctx context.Context, t sinkd.Topic, starts []int64) error
	Started(ctx context.Context) error
}

// Watcher tells and hears what is known of positions.
type Watcher interface {
	Positions(ctx context.Context) ([]sinkd.Position, error)
	Observe(ctx context.Context, obs []sinkd.Observation) error
	// Handovers gives how long it took from the releases that the claims tell
	// to their first commits.
	Handovers(ctx context.Context, claims []*sinkd.Claim) ([]time.Duration, error)
}

// Registrar ties the pipeline to its Kafka cluster and group, and tries anew
// what halted for its configuration. first tells that no start was completed.
type Registrar interface {
	Register(ctx context.Context, cluster string) (first bool, err error)
	Retry(ctx context.Context) error
}

// Halter keeps what needs a person.
type Halter interface {
	// Halt halts the claim's partition where the claim still holds and its
	// position is next.
	Halt(ctx context.Context, c *sinkd.Claim, next int64, i sinkd.Incident) (halted bool, err error)
	Report(ctx context.Context, i sinkd.Incident) error
	Pause(ctx context.Context, i sinkd.Incident) error
	Skip(ctx context.Context, k sinkd.Skip) (sinkd.Claim, error)
}

// Pinger tells whether the database answers, and takes writes.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Store is what the flow needs of Postgres.
type Store interface {
	Applier
	Pinger
	Claimer
	Pinner
	Watcher
	Registrar
	Halter
}
