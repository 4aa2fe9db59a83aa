package transform

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/sinkd/sinkd"
)

// The stages at which a record fails here.
const (
	stageDecode  = "decode"
	stageConvert = "convert"
)

// framing is the length of what a schema registry's clients put before a
// value: a zero byte and the schema's id.
const framing = 5

// undecodable is the dead letter of a record that could not be read.
func undecodable(rec *sinkd.Record, err error) *sinkd.DeadLetter {
	d := &sinkd.DeadLetter{Record: rec, Stage: stageDecode, Reason: err.Error()}
	if v := rec.Value; len(v) >= framing && v[0] == 0 && !errors.Is(err, errNotText) {
		d.SchemaID = int(binary.BigEndian.Uint32(v[1:]))
		d.Reason = "value is not JSON: it begins with a zero byte and a schema id, as a schema registry's clients write it; " +
			"set SINKD_FORMAT to avro, protobuf or jsonschema"
	}
	return d
}

// unfit is the dead letter of a record that was read and does not fit the table.
func unfit(rec *sinkd.Record, err error) *sinkd.DeadLetter {
	return &sinkd.DeadLetter{Record: rec, Stage: stageConvert, Reason: err.Error()}
}

// tooLarge is the dead letter of a record beyond the limit.
func tooLarge(rec *sinkd.Record, limit int) *sinkd.DeadLetter {
	return &sinkd.DeadLetter{Record: rec, Stage: stageDecode, Reason: fmt.Sprintf(
		"key, value and headers have more than SINKD_MAX_RECORD_BYTES (%d) together", limit)}
}
