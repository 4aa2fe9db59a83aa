package main

import (
	"math/rand/v2"
	"strconv"
)

// wideFields is the number of fields of a wide record.
const wideFields = 30

// wide are records of about 1 KB, with 30 fields of which every fifth is a
// column.
var wide = &dataset{
	name: "wide", topic: "wide", columns: eventColumns,
	fill: func(r *rand.Rand, i int, rec *record) {
		e := drawEvent(r, i, rec.time)
		rec.key = strconv.AppendInt(rec.key, e.id, 10)
		rec.value = append(rec.value, '{')
		for f := range wideFields {
			if f%(wideFields/eventFields) == 0 {
				rec.value = e.field(rec.value, f/(wideFields/eventFields))
			} else {
				rec.value = appendUnused(rec.value, r, f)
			}
		}
		rec.value[len(rec.value)-1] = '}'
		rec.line = e.line(rec.line)
	},
}

// appendUnused appends a field that no column takes, of one of the kinds that
// are common in events, with a comma behind it.
func appendUnused(b []byte, r *rand.Rand, f int) []byte {
	b = strconv.AppendInt(append(b, `"unused_`...), int64(f), 10)
	b = append(b, `":`...)
	switch f % 4 {
	case 0:
		b = strconv.AppendInt(b, r.Int64N(1e12), 10)
	case 1:
		b = append(b, `{"lat":`...)
		b = strconv.AppendFloat(b, r.Float64()*180-90, 'f', 6, 64)
		b = strconv.AppendFloat(append(b, `,"lon":`...), r.Float64()*360-180, 'f', 6, 64)
		b = append(b, '}')
	case 2:
		b = append(appendWords(append(b, '"'), r, 26), '"')
	case 3:
		b = append(b, `["`...)
		b = append(appendWords(b, r, 12), `",null,`...)
		b = append(strconv.AppendBool(b, r.IntN(2) == 0), ']')
	}
	return append(b, ',')
}

// appendWords appends so many bytes of lower-case letters and spaces.
func appendWords(b []byte, r *rand.Rand, n int) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyz      "
	for n > 0 {
		bits := r.Uint64()
		for range min(n, 12) {
			b = append(b, letters[bits&31])
			bits >>= 5
			n--
		}
	}
	return b
}
