// Package integration holds the tests that run the sinkd binary as a black box
// against real brokers and real databases, with faults. The lab starts the
// parts; demo and bench are programs of their own. Production code imports
// none of it.
package integration
