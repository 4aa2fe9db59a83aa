package transform

import (
	"errors"
	"strings"

	"github.com/sinkd/sinkd"
)

// origin is a part of a record other than the fields of its value.
type origin uint8

const (
	fromField origin = iota
	fromTopic
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
	cell   int
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

// fill gives the cell's value. Memory holds what has to be built.
func (s *source) fill(rec *sinkd.Record, memory []byte) (v Value, _ []byte, err error) {
	switch s.origin {
	case fromPartition:
		return Value{Kind: Int, Num: uint64(rec.Partition)}, memory, nil
	case fromOffset:
		return Value{Kind: Int, Num: uint64(rec.Offset)}, memory, nil
	case fromTimestamp:
		v, err = timestamp(rec)
		return v, memory, err
	case fromKey:
		return raw(rec.Key), memory, nil
	case fromValue:
		return raw(rec.Value), memory, nil
	case fromHeader:
		return lastHeader(rec, s.header), memory, nil
	}
	start := len(memory)
	if s.origin == fromTopic {
		memory = append(memory, rec.Topic...)
		return Value{Kind: String, Bytes: memory[start:]}, memory, nil
	}
	memory = appendHeaders(memory, rec)
	return Value{Kind: Array, Bytes: memory[start:]}, memory, nil
}

// timestamp gives the record's; the oldest message format has none.
func timestamp(rec *sinkd.Record) (Value, error) {
	if rec.Attrs.TimestampType() < 0 {
		return Value{Kind: Null}, nil
	}
	micros, ok := timeOf(rec.Timestamp)
	if !ok {
		return Value{}, errTimestamp
	}
	return Value{Kind: Time, Num: uint64(micros)}, nil
}

// lastHeader gives the last of several headers of one key, as Kafka's own
// lastHeader does.
func lastHeader(rec *sinkd.Record, key string) Value {
	for i := len(rec.Headers) - 1; i >= 0; i-- {
		if rec.Headers[i].Key == key {
			return raw(rec.Headers[i].Value)
		}
	}
	return Value{}
}

func raw(b []byte) Value {
	if b == nil {
		return Value{Kind: Null}
	}
	return Value{Kind: Bytes, Bytes: b}
}
