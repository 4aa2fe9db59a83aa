package transform

import (
	"errors"
	"strings"

	"github.com/sinkd/sinkd"
)

// origin is a part of a record other than the fields of its value.
type origin uint8

const (
	fromTopic origin = iota
	fromPartition
	fromOffset
	fromTimestamp
	fromKey
	fromValue
	fromHeaders
	fromHeader
)

// source fills one cell from the record itself.
type source struct {
	origin origin
	// header is the key of the one that is wanted.
	header string
	// form is how the value is taken.
	form form
	cell int
}

// headerPrefix begins the source of one header.
const headerPrefix = "@headers."

// knownSources are the @ sources as messages list them.
const knownSources = "@topic, @partition, @offset, @timestamp, @key, @value, @headers, @headers.NAME"

// coordinates are the columns that take the record's coordinates by name.
var coordinates = map[string]string{
	"kafka_topic":     "@topic",
	"kafka_partition": "@partition",
	"kafka_offset":    "@offset",
	"kafka_timestamp": "@timestamp",
	"kafka_key":       "@key",
	"kafka_headers":   "@headers",
}

// parseSource reads an @ source.
func parseSource(s string) (source, bool) {
	switch s {
	case "@topic":
		return source{origin: fromTopic}, true
	case "@partition":
		return source{origin: fromPartition}, true
	case "@offset":
		return source{origin: fromOffset}, true
	case "@timestamp":
		return source{origin: fromTimestamp}, true
	case "@key":
		return source{origin: fromKey}, true
	case "@value":
		return source{origin: fromValue}, true
	case "@headers":
		return source{origin: fromHeaders}, true
	}
	name, ok := strings.CutPrefix(s, headerPrefix)
	return source{origin: fromHeader, header: name}, ok && name != ""
}

// errTimestamp is a record timestamp that no Postgres time can express.
var errTimestamp = errors.New("the record's timestamp is out of range for Postgres")

// fill fills the source's cell from the record.
func (p *plan) fill(s *source, rec *sinkd.Record) error {
	v := &p.cells[s.cell]
	switch s.origin {
	case fromTopic:
		start := len(p.memory)
		p.memory = append(p.memory, rec.Topic...)
		v.Kind, v.Bytes = String, p.memory[start:]
	case fromPartition:
		v.Kind, v.Num = Int, uint64(rec.Partition)
	case fromOffset:
		v.Kind, v.Num = Int, uint64(rec.Offset)
	case fromTimestamp:
		return v.timestamp(rec)
	case fromKey:
		v.raw(rec.Key)
	case fromValue:
		return p.value(v, s.form, rec)
	case fromHeaders:
		start := len(p.memory)
		p.memory = appendHeaders(p.memory, rec)
		v.Kind, v.Bytes = Array, p.memory[start:]
	case fromHeader:
		v.lastHeader(rec, s.header)
	}
	return nil
}

// timestamp takes the record's; the oldest message format has none.
func (v *Value) timestamp(rec *sinkd.Record) error {
	if rec.Timestamp.IsZero() {
		v.Kind = Null
		return nil
	}
	micros, ok := timeOf(rec.Timestamp)
	if !ok {
		return errTimestamp
	}
	v.Kind, v.Num = Time, uint64(micros)
	return nil
}

// lastHeader takes the last of several headers of one key, as Kafka's own
// lastHeader does.
func (v *Value) lastHeader(rec *sinkd.Record, key string) {
	for i := len(rec.Headers) - 1; i >= 0; i-- {
		if string(rec.Headers[i].Key) == key {
			v.raw(rec.Headers[i].Value)
			return
		}
	}
}

// raw takes bytes as they are; nil is null.
func (v *Value) raw(b []byte) {
	if b == nil {
		v.Kind = Null
		return
	}
	v.Kind, v.Bytes = Bytes, b
}
