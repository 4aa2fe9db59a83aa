package main

import (
	"math/rand/v2"
	"strconv"
)

// landing are the narrow records as the landing table takes them whole.
var landing = &dataset{
	name: "landing", topic: "narrow",
	columns: "kafka_topic text, kafka_partition int, kafka_offset bigint, kafka_timestamp timestamptz, " +
		"kafka_key text, kafka_headers jsonb, value jsonb",
	fill: func(r *rand.Rand, i int, rec *record) {
		narrow.fill(r, i, rec)
		b := append(append(rec.line[:0], rec.topic...), '\t')
		b = append(strconv.AppendInt(b, int64(rec.partition), 10), '\t')
		b = append(strconv.AppendInt(b, rec.offset, 10), '\t')
		b = append(rec.time.AppendFormat(b, "2006-01-02 15:04:05.000+00"), '\t')
		b = append(append(b, rec.key...), "\t[]\t"...)
		rec.line = append(escapeCopy(b, rec.value), '\n')
	},
}

// escapeCopy appends a text as COPY's text format has it. JSON has neither tabs
// nor line ends, so backslashes are all there is to escape.
func escapeCopy(b, text []byte) []byte {
	for _, c := range text {
		if c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return b
}
