package config

import (
	"crypto/tls"
	"errors"
	"reflect"
	"runtime"
	"strconv"
	"time"

	"github.com/caarlos0/env/v10"

	"github.com/sinkd/sinkd"
)

// Config is a configuration without problems, complete in itself.
type Config struct {
	Variables
	// Routes are SINKD_ROUTES, or the one route of the five variables that it
	// stands in place of, with all that concerns a route resolved into it.
	Routes []*sinkd.Route
	// TLS is how to talk to the brokers, nil for plain text.
	TLS *tls.Config
	// DatabaseURL and Password give the secrets anew at each call,
	// so that one that was rotated in its file is seen.
	DatabaseURL, Password func() (string, error)

	environ *environ
}

// Need is how much of the configuration a command cannot go without.
type Need int

// The needs: each of these holds those before it.
const (
	// Nothing has to be set.
	Nothing Need = iota
	// Database: SINKD_DATABASE_URL.
	Database
	// Flow: brokers and topics as well.
	Flow
)

// Brokers stands beside the others: SINKD_KAFKA_BROKERS alone.
const Brokers Need = -1

// Load reads the configuration from the environment, given as os.Environ
// gives it. The error is a Problems: all of them. The configuration is usable
// for Settings even then.
func Load(environment []string, need Need) (*Config, error) {
	var p Problems
	all := fields()
	c := &Config{environ: read(environment, all, &p)}
	c.parse(all, &p)
	c.require(need, &p)
	c.bounds(&p)
	c.database(&p)
	c.keepNothing(&p)
	c.Routes = c.routes(&p)
	c.TLS = c.tls(&p)
	c.sasl(&p)
	c.DatabaseURL = c.environ.source("SINKD_DATABASE_URL")
	c.Password = c.environ.source("SINKD_KAFKA_SASL_PASSWORD")
	return c, p.err()
}

// parse fills the variables: values that cannot be used are reported and left
// at their defaults, so that the rest can still be judged.
func (c *Config) parse(all []field, p *Problems) {
	values := map[string]string{
		"SINKD_LANES":       strconv.Itoa(min(4, runtime.GOMAXPROCS(0))),
		"SINKD_KAFKA_GROUP": "sinkd-" + c.environ.or("SINKD_PIPELINE", "default"),
	}
	if c.environ.values["SINKD_DELIVERY"] == idempotent {
		values["SINKD_ON_BAD_RECORD"] = "stop"
	}
	for i := range all {
		f := &all[i]
		value, set := c.environ.values[f.name]
		if !set || c.environ.off[f.name] {
			continue
		}
		if wrong, fix := f.choose(value); wrong != "" {
			p.add(f.name, fix, "%s", wrong)
			continue
		}
		values[f.name] = value
	}
	for _, name := range c.fill(values, all, p) {
		delete(values, name)
	}
	c.fill(values, all, &Problems{})
	for i := range all {
		if c.environ.off[all[i].name] {
			reflect.ValueOf(&c.Variables).Elem().FieldByName(all[i].goName).SetZero()
		}
	}
}

// fill sets the fields from the values, and answers the names of the variables
// whose values do not parse. What the parser says of them goes by field and
// quotes values, so its texts are not used.
func (c *Config) fill(values map[string]string, all []field, p *Problems) (bad []string) {
	c.Variables = Variables{}
	var many env.AggregateError
	if !errors.As(env.ParseWithOptions(&c.Variables, env.Options{Environment: values}), &many) {
		return nil
	}
	for _, one := range many.Errors {
		var parse env.ParseError
		if !errors.As(one, &parse) {
			continue
		}
		for i := range all {
			if f := &all[i]; f.goName == parse.Name {
				wrong, fix := expect(parse)
				p.add(f.name, fix, "%s", wrong)
				bad = append(bad, f.name)
			}
		}
	}
	return bad
}

// expect tells what a value should have been.
func expect(parse env.ParseError) (wrong, fix string) {
	var own valueError
	switch {
	case errors.As(parse.Err, &own):
		return own.wrong, own.fix
	case parse.Type == reflect.TypeFor[time.Duration]():
		return "is not a duration", "write it like 200ms, 45s or 1h"
	case parse.Type.Kind() == reflect.Bool:
		return "is neither true nor false", "write true or false"
	default:
		return "is not a whole number", "write it in digits"
	}
}

// or gives the value of a variable, or what it is in its absence.
func (e *environ) or(name, absent string) string {
	if value, ok := e.values[name]; ok {
		return value
	}
	return absent
}

// Set tells whether the variable was given a value.
func (c *Config) Set(name string) bool {
	_, ok := c.environ.values[name]
	return ok
}
