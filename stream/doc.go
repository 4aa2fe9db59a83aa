// Package stream owns Kafka and the flow: the consumer, the assignment, claims
// in memory, queues, lanes, backpressure and the run loop. All goroutines of
// the flow are here. It never speaks SQL and knows no format: rows are encoded
// by an Encoder and written by a Store, which cmd/sinkd hands in.
package stream
