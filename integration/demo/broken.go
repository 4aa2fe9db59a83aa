package main

import (
	"bytes"
	"slices"
)

// damage is one way in which a record is broken.
type damage struct {
	what     string
	from, to string // the first occurrence is replaced
	cut      bool   // the value ends after from
}

// damages are what the demo breaks. Each is a mistake that topics really hold,
// and each is noticed elsewhere: by the scanner, by a conversion, by a
// constraint of the table.
func damages() []damage {
	const mag = `"properties":{"mag":`
	return []damage{
		{what: "truncated JSON", from: `"place":"`, cut: true},
		{what: "wrong type", from: mag, to: mag + `"strong","was":`},
		{what: "overflow", from: `"felt":null`, to: `"felt":3000000000`},
		{what: "NUL character", from: `"place":"`, to: `"place":"\u0000`},
		{what: "refused by the table", from: mag, to: mag + `99,"was":`},
	}
}

// breakSome puts broken copies of records between the others, each damage as
// often as asked, spread evenly.
func breakSome(records []record, times int) []record {
	kinds := damages()
	count := times * len(kinds)
	step := len(records) / (count + 1)
	for i := count; i > 0; i-- { // from the end, so that places stay
		d := kinds[i%len(kinds)]
		for from := i * step; ; from++ {
			if value, ok := d.apply(records[from].value); ok {
				b := record{key: records[from].key, value: value, broken: d.what}
				records = slices.Insert(records, from, b)
				break
			}
		}
	}
	return records
}

// apply gives a broken copy of a value, and false where it has not what is to
// be broken.
func (d damage) apply(value []byte) ([]byte, bool) {
	at := bytes.Index(value, []byte(d.from))
	if at < 0 {
		return nil, false
	}
	end := at + len(d.from)
	if d.cut {
		return slices.Clone(value[:end]), true
	}
	return slices.Concat(value[:at], []byte(d.to), value[end:]), true
}
