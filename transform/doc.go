// Package transform turns records into encoded rows: decode, map, convert,
// encode. A format's decoder fills flat cells (Value) by a plan that was
// compiled from route and table; a column's encoder appends a cell in
// Postgres's binary form. Cells are the only bridge between the two, so N
// formats and M column types stay N + M.
//
// The package is pure: it does no I/O, reads no clock and starts no goroutine;
// it never calls the Kafka client and knows no SQL. What it lacks, the table of
// a topic, it returns as a need.
//
// A value lands exactly, or its record becomes a dead letter with the reason;
// there is no third way. In the steady state a record costs no allocation.
package transform
