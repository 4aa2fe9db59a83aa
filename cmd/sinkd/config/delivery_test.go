package config_test

import (
	"strings"
	"testing"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

func TestIdempotentDelivery(t *testing.T) {
	c := load(t, enough("SINKD_DELIVERY=idempotent", "SINKD_MODE=ignore", "SINKD_DEAD_LETTER_LIMIT=off")...)
	if !c.Idempotent() || c.OnBadRecord != "stop" || c.DeadLetterLimit.Count != 0 {
		t.Errorf("idempotent %v, bad records %s, limit %v", c.Idempotent(), c.OnBadRecord, c.DeadLetterLimit)
	}
	if c := load(t, enough()...); c.Idempotent() || c.OnBadRecord != "dead-letter" {
		t.Error("the default is not exactly-once")
	}
}

// TestIdempotentProblems gives idempotent delivery what it cannot keep to.
func TestIdempotentProblems(t *testing.T) {
	for settings, want := range map[string]string{
		"SINKD_MODE=append": "SINKD_MODE: is append, but SINKD_DELIVERY=idempotent may write a record again, which would double its row; write SINKD_MODE=upsert or SINKD_MODE=ignore, or SINKD_DELIVERY=exactly-once",
		"SINKD_LANES=1":     "SINKD_MODE: is append, but",
		"SINKD_MODE=upsert SINKD_ON_BAD_RECORD=dead-letter":        "SINKD_ON_BAD_RECORD: is dead-letter, but SINKD_DELIVERY=idempotent has no table for dead letters; write stop, or unset it",
		"SINKD_MODE=upsert SINKD_SCHEMA=books":                     "SINKD_SCHEMA: is set, but SINKD_DELIVERY=idempotent has no bookkeeping tables; unset it",
		"SINKD_MODE=upsert SINKD_DEAD_LETTER_LIMIT=9/1h":           "SINKD_DEAD_LETTER_LIMIT: is set, but",
		"SINKD_MODE=upsert SINKD_KEY=id SINKD_CREATE_TABLE=always": "has the record's coordinates as its key, and the route another",
	} {
		_, err := config.Load(enough(append(strings.Fields(settings), "SINKD_DELIVERY=idempotent")...), config.Flow)
		if text := errorText(err); !strings.Contains(text, want) || strings.Contains(text, "\n") {
			t.Errorf("%s gave\n%v\nand not %q", settings, err, want)
		}
	}
	_, err := config.Load([]string{
		"SINKD_KAFKA_BROKERS=kafka:9092", "SINKD_DATABASE_URL=postgres://db/app", "SINKD_DELIVERY=idempotent",
		"SINKD_ROUTES=orders -> o upsert; clicks -> c append",
	}, config.Flow)
	if want := "SINKD_ROUTES: clicks: mode is append, but"; !strings.Contains(errorText(err), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v\nand not %q", err, want)
	}
}

// TestIdempotentLandingTable: the table that is made has the record's
// coordinates as its key, so a route by another key makes none.
func TestIdempotentLandingTable(t *testing.T) {
	for settings, create := range map[string]bool{
		"SINKD_DELIVERY=idempotent SINKD_MODE=upsert":                                                    true,
		"SINKD_DELIVERY=idempotent SINKD_MODE=ignore SINKD_KEY=kafka_partition,kafka_topic,kafka_offset": true,
		"SINKD_DELIVERY=idempotent SINKD_MODE=upsert SINKD_KEY=id":                                       false,
		"SINKD_DELIVERY=idempotent SINKD_MODE=upsert SINKD_TABLE=t":                                      false,
		"SINKD_DELIVERY=idempotent SINKD_MODE=upsert SINKD_TABLE=t SINKD_CREATE_TABLE=always":            true,
		"SINKD_MODE=upsert": false,
	} {
		c := load(t, enough(strings.Fields(settings)...)...)
		if r := c.Routes[0]; r.Create != create || r.Mode == sinkd.Append {
			t.Errorf("%s: create %v", settings, r.Create)
		}
	}
}
