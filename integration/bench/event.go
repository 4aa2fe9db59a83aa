package main

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// eventColumns are the columns of narrow and wide records.
const eventColumns = "id bigint, kind text, username text, amount numeric, at timestamptz, props jsonb"

// narrow are records of about 140 bytes, all of whose fields are columns.
var narrow = &dataset{
	name: "narrow", topic: "narrow", columns: eventColumns,
	fill: func(r *rand.Rand, i int, rec *record) {
		e := drawEvent(r, i, rec.time)
		e.fill(rec)
	},
}

// eventFields is the number of an event's fields, each a column.
const eventFields = 6

// event is what a narrow record tells, and six fields of a wide one.
type event struct {
	id    int64
	kind  string
	user  int
	cents int64 // -1 = null
	at    time.Time
	ref   string
	n     int
	ok    bool
}

func drawEvent(r *rand.Rand, i int, at time.Time) event {
	kinds := [...]string{"page_view", "click", "purchase", "login", "search"}
	refs := [...]string{"mail", "web", "app", "ad"}
	e := event{
		id: 1_000_000 + int64(i), at: at, kind: kinds[r.IntN(len(kinds))], user: r.IntN(100_000),
		cents: r.Int64N(100_000), ref: refs[r.IntN(len(refs))], n: r.IntN(20), ok: r.IntN(2) == 0,
	}
	if r.IntN(32) == 0 {
		e.cents = -1
	}
	return e
}

// field appends one field, with a comma behind it.
func (e *event) field(b []byte, f int) []byte {
	switch f {
	case 0:
		b = strconv.AppendInt(append(b, `"id":`...), e.id, 10)
	case 1:
		b = append(append(append(b, `"kind":"`...), e.kind...), '"')
	case 2:
		b = append(b, `"username":"`...)
		// Real names need an escape now and then, and are not all ASCII.
		switch e.user % 64 {
		case 1:
			b = append(b, `Zo\u00eb \"Z\" `...)
		case 2:
			b = append(b, `Ångström `...)
		}
		b = append(strconv.AppendInt(append(b, `user-`...), int64(e.user), 10), '"')
	case 3:
		b = append(b, `"amount":`...)
		if e.cents < 0 {
			b = append(b, `null`...)
		} else {
			b = appendCents(b, e.cents)
		}
	case 4:
		b = append(e.at.AppendFormat(append(b, `"at":"`...), "2006-01-02T15:04:05.000Z"), '"')
	case 5:
		b = e.props(append(b, `"props":`...))
	}
	return append(b, ',')
}

func (e *event) props(b []byte) []byte {
	b = append(append(append(b, `{"ref":"`...), e.ref...), `","n":`...)
	b = strconv.AppendInt(b, int64(e.n), 10)
	return append(strconv.AppendBool(append(b, `,"ok":`...), e.ok), '}')
}

// line appends the row as COPY's text format has it.
func (e *event) line(b []byte) []byte {
	b = append(strconv.AppendInt(b, e.id, 10), '\t')
	b = append(append(b, e.kind...), '\t')
	switch e.user % 64 {
	case 1:
		b = append(b, `Zoë "Z" `...)
	case 2:
		b = append(b, `Ångström `...)
	}
	b = append(strconv.AppendInt(append(b, `user-`...), int64(e.user), 10), '\t')
	if e.cents < 0 {
		b = append(b, `\N`...)
	} else {
		b = appendCents(b, e.cents)
	}
	b = append(e.at.AppendFormat(append(b, '\t'), "2006-01-02 15:04:05.000+00"), '\t')
	return append(e.props(b), '\n')
}

func appendCents(b []byte, cents int64) []byte {
	b = append(strconv.AppendInt(b, cents/100, 10), '.')
	return append(b, byte('0'+cents/10%10), byte('0'+cents%10))
}

// fill makes the event a record.
func (e *event) fill(rec *record) {
	rec.key = strconv.AppendInt(rec.key, e.id, 10)
	rec.value = append(rec.value, '{')
	for f := range eventFields {
		rec.value = e.field(rec.value, f)
	}
	rec.value[len(rec.value)-1] = '}'
	rec.line = e.line(rec.line)
}
