package config

import (
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// require reports what the command cannot go without.
func (c *Config) require(need Need, p *Problems) {
	if (need >= Flow || need == Brokers) && len(c.KafkaBrokers) == 0 {
		p.missing("SINKD_KAFKA_BROKERS", "set it to the brokers, for example kafka:9092")
	}
	if need >= Flow && c.Topics == "" && c.Variables.Routes == "" {
		p.missing("SINKD_TOPICS", "set it to the topics, for example orders,customers or /orders-.*/")
	}
	if need >= Database && c.Variables.DatabaseURL == "" {
		p.missing("SINKD_DATABASE_URL", "set it to the database, for example postgres://user:password@host:5432/name")
	}
}

// missing reports a variable that has to be set, unless why it has no value
// was reported already.
func (p *Problems) missing(name, fix string) {
	if !p.about(name) && !p.about(name+"_FILE") {
		p.add(name, fix, "is required")
	}
}

// bounds reports values that are well formed and cannot work.
func (c *Config) bounds(p *Problems) {
	c.names(p)
	c.addresses(p)
	for _, d := range []struct {
		name     string
		is, from time.Duration
	}{
		{"SINKD_KAFKA_SESSION_TIMEOUT", c.KafkaSessionTimeout, time.Second},
		{"SINKD_KAFKA_REBALANCE_TIMEOUT", c.KafkaRebalanceTimeout, time.Second},
		{"SINKD_STATEMENT_TIMEOUT", c.StatementTimeout, 100 * time.Millisecond},
		{"SINKD_LOCK_TIMEOUT", c.LockTimeout, 100 * time.Millisecond},
		{"SINKD_BATCH_INTERVAL", c.BatchInterval, 0},
		{"SINKD_BATCH_TARGET", c.BatchTarget, 10 * time.Millisecond},
		{"SINKD_FOREIGN_KEY_WAIT", c.ForeignKeyWait, 0},
		{"SINKD_DRAIN_TIMEOUT", c.DrainTimeout, 0},
		{"SINKD_DEAD_LETTER_RETENTION", c.DeadLetterRetention, 0},
		{"SINKD_LEDGER_DETAIL", c.LedgerDetail, 0},
	} {
		if d.is < d.from {
			p.add(d.name, "write at least "+d.from.String(), "%s is too short", d.is)
		}
	}
	for _, n := range []struct {
		name         string
		is, from, to int64
		show         func(int64) string
	}{
		{"SINKD_LANES", int64(c.Lanes), 1, 64, decimal},
		{"SINKD_MAX_RATE_PER_PARTITION", int64(c.MaxRatePerPartition), c.leastRate(), 1e9, decimal},
		{"SINKD_BATCH_MAX_RECORDS", int64(c.BatchMaxRecords), 1, 1e7, decimal},
		{"SINKD_MAX_RECORD_BYTES", int64(c.MaxRecordBytes), 1 << 10, 512 << 20, bytes},
		{"SINKD_MEMORY", int64(c.Memory), 4 * int64(c.MaxRecordBytes), 1 << 50, bytes},
		{"SINKD_BATCH_MAX_BYTES", int64(c.BatchMaxBytes), 1 << 10, int64(c.Memory), bytes},
	} {
		switch {
		case p.about(n.name):
		case n.is < n.from:
			p.add(n.name, "write at least "+n.show(n.from), "%s is too little", n.show(n.is))
		case n.is > n.to:
			p.add(n.name, "write at most "+n.show(n.to), "%s is too much", n.show(n.is))
		}
	}
}

// leastRate is the least that a rate may be where one is given.
func (c *Config) leastRate() int64 {
	if c.Set("SINKD_MAX_RATE_PER_PARTITION") && !c.environ.off["SINKD_MAX_RATE_PER_PARTITION"] {
		return 1
	}
	return 0
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func bytes(n int64) string { return Size(n).String() }

// names reports names that cannot be used.
func (c *Config) names(p *Problems) {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`).MatchString(c.Pipeline) {
		p.add("SINKD_PIPELINE", "use at most 40 of a-z, 0-9, _ and -, the first a letter or digit", "%q is not a name", c.Pipeline)
	}
	if wrong, fix := identifier(c.Schema); wrong != "" {
		p.add("SINKD_SCHEMA", fix, "%s", wrong)
	} else if strings.HasPrefix(c.Schema, "pg_") {
		p.add("SINKD_SCHEMA", "choose another name, for example sinkd", "names that begin with pg_ are PostgreSQL's own")
	}
}

// addresses reports what is not host:port.
func (c *Config) addresses(p *Problems) {
	for _, broker := range c.KafkaBrokers {
		if host, err := address(broker); err != nil || host == "" {
			p.add("SINKD_KAFKA_BROKERS", "write host:port, several with commas between, for example kafka:9092", "%q is not a broker's address", broker)
		}
	}
	if c.HTTPAddr == "" {
		return
	}
	if _, err := address(c.HTTPAddr); err != nil {
		p.add("SINKD_HTTP_ADDR", "write host:port, for example 127.0.0.1:8080 or :8080, or off", "%q is not an address", c.HTTPAddr)
	}
}

// address takes host:port apart.
func address(text string) (host string, err error) {
	host, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	return host, err
}

// identifier checks the name of a table, a schema or a column.
func identifier(name string) (wrong, fix string) {
	switch {
	case name == "":
		return "a name is empty", "write a name"
	case len(name) > 63:
		return strconv.Quote(name) + " is longer than the 63 bytes that PostgreSQL keeps of a name", "choose a shorter one"
	case strings.ContainsAny(name, "\"\x00"):
		return strconv.Quote(name) + " holds a quote or a NUL", "write names as they are, without quotes"
	}
	return "", ""
}
