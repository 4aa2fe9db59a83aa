// Package web owns what sinkd answers by HTTP: the probes, the metrics and the
// status. It shows what it is handed and changes nothing; it never asks Kafka
// or Postgres, so it answers while they are away.
package web
