// Package web owns what sinkd answers by HTTP: the probes, the metrics and the
// status and the page. It shows what it is handed and changes nothing. Probes,
// metrics and status never ask Kafka or Postgres, so they answer while those are
// away; the page asks the ledger at most every two seconds, however many look,
// and keeps what it knew while nothing answers.
package web
