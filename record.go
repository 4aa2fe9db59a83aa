package sinkd

import "time"

// Record is one record of a Kafka topic. Key, Value and Headers are views of
// what was read: they are not to be changed.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	// LeaderEpoch is that of the record's batch, -1 if unknown.
	LeaderEpoch int32
	// Timestamp is when the record was made, or was appended to the log, as the
	// topic has it, in milliseconds; zero where the oldest message format has none.
	Timestamp time.Time
	// Key and Value are nil where they are null.
	Key, Value []byte
	Headers    []Header
}

// Header is one header of a record. Several may have the same key; a value is
// nil where it is null.
type Header struct{ Key, Value []byte }
