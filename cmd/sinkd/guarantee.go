package main

import "github.com/sinkd/sinkd/cmd/sinkd/config"

// guarantee says what the configuration gives, and what limits it. The word
// before the colon, where there is one, names the delivery.
func guarantee(c *config.Config) (promise string, limits []string) {
	promise, limits = c.Delivery, []string{}
	shows := "the ledger"
	if c.Idempotent() {
		promise, shows = "idempotent: a replay converges to the same rows", "the log"
		limits = append(limits,
			"not a fence: a stale upsert can bring a deleted row back, and put an older row over a newer one where the table has neither kafka_partition and kafka_offset nor SINKD_VERSION_COLUMN",
			"no tables are kept: there is no ledger to prove anything by, and a bad record stops its partition")
		if c.Start.Latest {
			limits = append(limits, "SINKD_START=latest: where Kafka has forgotten the group's offsets, what was not read by then is passed over")
		}
	}
	if c.KafkaIsolation == "read_uncommitted" {
		limits = append(limits, "SINKD_KAFKA_ISOLATION=read_uncommitted: records of aborted transactions are written as well")
	}
	if c.OnDataLoss == "skip" {
		limits = append(limits, "SINKD_ON_DATA_LOSS=skip: records that Kafka no longer holds are passed over, which "+shows+" shows")
	}
	return promise, limits
}
