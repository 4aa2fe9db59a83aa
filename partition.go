package sinkd

import (
	"cmp"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Partition is one partition of one Kafka topic.
type Partition struct {
	Topic string
	ID    int32
}

// String gives the form that people read: orders[3].
func (p Partition) String() string {
	return p.Topic + "[" + strconv.Itoa(int(p.ID)) + "]"
}

// Compare orders partitions by topic, then by number: the order in which
// position rows are locked, always and everywhere.
func (p Partition) Compare(q Partition) int {
	return cmp.Or(cmp.Compare(p.Topic, q.Topic), cmp.Compare(p.ID, q.ID))
}

// Topic is the identity of a Kafka topic, as the first claim pinned it in the
// bookkeeping tables, or as the brokers describe it now.
type Topic struct {
	Name string
	// ID is the topic id of KIP-516; the zero id where brokers give none.
	ID uuid.UUID
	// Cluster is the id of the Kafka cluster.
	Cluster string
	// Partitions is the number of partitions.
	Partitions int32
}

// Claim is the right of one writer to move the position of one partition: a
// random token in the position row. A new claim ends the old one. A claim is
// never changed after it was read.
type Claim struct {
	Partition
	// Token is the random token that this claim wrote.
	Token uuid.UUID
	// Next is the position that the claim read: the next offset that is not
	// yet in Postgres.
	Next int64
	// Epoch is the leader epoch of the last record before Next, -1 if unknown.
	Epoch int32
	// Generation counts the operator's resets of the position.
	Generation int64
	// Halted is the kind of the incident that halted the partition, or empty.
	Halted string
	// Paused tells that an operator paused the partition or its pipeline.
	Paused bool
	// Released is when the writer before gave the partition up, by the
	// database's clock; zero where it did not say so.
	Released time.Time
}

// Position is what a position row holds, whoever moves it.
type Position struct {
	Partition
	Token      uuid.UUID
	Next       int64
	Generation int64
	Halted     string
	Paused     bool
}

// LedgerPlace is a place in the ledger of a partition: how far its ranges were
// merged.
type LedgerPlace struct{ Generation, From int64 }
