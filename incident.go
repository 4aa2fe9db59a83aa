package sinkd

import "time"

// Kinds of incidents. An incident is a condition that needs a person.
const (
	// DataLost: the position lies outside of what Kafka holds.
	DataLost = "data_lost"
	// TopicRecreated: the topic's id is not the one that was pinned.
	TopicRecreated = "topic_recreated"
	// ClusterChanged: the cluster id is not the one that was pinned.
	ClusterChanged = "cluster_changed"
	// PositionMissing: the position row of a known partition is gone.
	PositionMissing = "position_missing"
	// FetchFailed: the brokers refuse the partition for good.
	FetchFailed = "fetch_failed"
	// DeadLetterLimit: the dead-letter budget is spent; the pipeline pauses.
	DeadLetterLimit = "dead_letter_limit"
	// AllBad: a route that never wrote a row had only bad records.
	AllBad = "all_bad"
	// BadRecord: a bad record where SINKD_ON_BAD_RECORD=stop.
	BadRecord = "bad_record"
	// Refused: Postgres, or what it holds, refuses the configuration.
	Refused = "configuration"
)

// Incident is a condition that needs a person. It is kept in Postgres until
// it is acknowledged.
type Incident struct {
	Partition
	Kind   string
	Detail string
}

// Skip is a lost range that SINKD_ON_DATA_LOSS=skip passes over: it goes to
// the ledger with kind skip.
type Skip struct {
	Claim *Claim
	Until int64
	Cause string
}

// Observation is what a replica saw of a partition.
type Observation struct {
	Partition
	// LogStart and End bound what may be read: log start, last stable offset.
	LogStart, End int64
	// HighWatermark is the end of the log, open transactions included.
	HighWatermark int64
	// Behind is the age of the oldest record not yet written, 0 for none.
	Behind time.Duration
	At     time.Time
}
