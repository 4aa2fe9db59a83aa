// Package sinkd holds the nouns of the service as plain types: what a
// partition, a claim, a range, a batch, a row, a dead letter and an incident
// are. The packages stream (Kafka), transform (records to encoded rows) and
// store (Postgres) import this one and never each other; cmd/sinkd wires them.
//
// The package does no I/O, starts no goroutine, and imports none of ours.
//
// A record's way is one direction:
//
//	fetch -> queue of its claim -> lane: build and encode -> lane: apply and commit -> position
//
// The protocol that makes it exactly once is written down in package stream.
package sinkd
