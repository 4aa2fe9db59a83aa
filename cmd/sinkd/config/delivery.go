package config

import (
	"maps"
	"slices"

	"github.com/sinkd/sinkd"
)

// idempotent is the delivery that keeps no tables.
const idempotent = "idempotent"

// Idempotent tells whether rows are written so that a replay converges, and
// positions are the consumer group's offsets.
func (c *Config) Idempotent() bool { return c.Delivery == idempotent }

// keepNothing refuses variables of what idempotent delivery does not keep.
func (c *Config) keepNothing(p *Problems) {
	if !c.Idempotent() {
		return
	}
	const fix = ", or write SINKD_DELIVERY=exactly-once"
	if c.OnBadRecord == "dead-letter" && !p.about("SINKD_ON_BAD_RECORD") {
		p.add("SINKD_ON_BAD_RECORD", "write stop, or unset it"+fix, "is dead-letter, but SINKD_DELIVERY=idempotent has no table for dead letters")
	}
	kept := unkept()
	for _, name := range slices.Sorted(maps.Keys(kept)) {
		if c.Set(name) && !c.environ.off[name] && !p.about(name) {
			p.add(name, "unset it"+fix, "is set, but SINKD_DELIVERY=idempotent has no %s", kept[name])
		}
	}
	c.DeadLetterLimit = Limit{}
}

// unkept are the variables of what idempotent delivery does not keep, with what
// that is.
func unkept() map[string]string {
	const transform = "way to run a transform once for each record"
	return map[string]string{
		"SINKD_SCHEMA":                "bookkeeping tables",
		"SINKD_DEAD_LETTER_LIMIT":     "dead letters",
		"SINKD_DEAD_LETTER_RETENTION": "dead letters",
		"SINKD_LEDGER_DETAIL":         "ledger",
		"SINKD_TRANSFORM_SQL":         transform,
		"SINKD_STAGE":                 transform,
	}
}

// converge refuses a mode in which a replay does not converge.
func (d *draft) converge() {
	if d.config.Idempotent() && d.route.Mode == sinkd.Append {
		d.blame("mode", "is append, but SINKD_DELIVERY=idempotent may write a record again, which would double its row",
			"write "+d.keyed()+", or SINKD_DELIVERY=exactly-once")
	}
}

// landingKey tells whether rows are found by the key of the landing table that
// idempotent delivery makes: the record's coordinates.
func (d *draft) landingKey() bool {
	if !d.config.Idempotent() {
		return false
	}
	return len(d.route.Key) == 0 || slices.Equal(slices.Sorted(slices.Values(d.route.Key)), slices.Sorted(slices.Values(sinkd.LandingKey())))
}
