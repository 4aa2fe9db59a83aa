package transform

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sinkd/sinkd"
)

// everyType names each type that has an encoder, as DDL writes it, and a few
// that are given as text.
var everyType = []string{
	"boolean", "smallint", "integer", "bigint", "real", "double precision", "numeric", "numeric(6,2)", "text", "varchar(5)", "char(5)",
	"json", "jsonb", "uuid", "date", "timestamp", "timestamptz", "timestamptz(3)", "bytea",
	"time", "time(0)", "timetz", "interval", "interval day to minute", "inet", "cidr", "macaddr", "macaddr8",
	"integer[]", "numeric(6,2)[]", "text[]", "varchar(3)[]", "boolean[]", "jsonb[]", "bytea[]", "timestamptz[]", "interval[]", "inet[]", "point[]", "point",
}

// FuzzEncode gives one value to a column of each type: nothing panics, every
// record is counted once, and what is not a dead letter is a whole tuple.
func FuzzEncode(f *testing.F) {
	for _, v := range seedValues {
		f.Add([]byte(v), []byte("key"))
	}
	f.Fuzz(func(t *testing.T, value, key []byte) {
		rec := &sinkd.Record{Key: key, Value: slices.Clip(fmt.Appendf(nil, `{"v":%s}`, value))}
		e, batch := oneColumnEach(t, rec)
		e.Encode(batch)
		if len(batch.Rows)+len(batch.Dead) != len(batch.Ranges) {
			t.Fatalf("%d rows and %d dead letters", len(batch.Rows), len(batch.Dead))
		}
		for i := range batch.Rows {
			if tuples := parse(t, &batch.Rows[i]); len(tuples) != 1 || len(tuples[0]) != 2 {
				t.Fatalf("%q", batch.Rows[i].Buf)
			}
		}
	})
}

// What stands for types without an OID of ours.
const (
	oidPoint = 600
	anEnum   = 99_999
	anArray  = 100_000
)

// oneColumnEach gives a batch in which the record goes to a table for each
// type, under a topic of its own.
func oneColumnEach(t *testing.T, rec *sinkd.Record) (*Encoder, *sinkd.Batch) {
	t.Helper()
	e, batch := NewEncoder(Options{MaxRecordBytes: 1 << 20}), &sinkd.Batch{}
	for i, oid := range []uint32{
		oidBool, oidBytea, oidInt8, oidInt2, oidInt4, oidText, oidJSON, oidFloat4, oidFloat8, oidBPChar, oidVarchar, oidDate, oidTimestamp,
		oidTimestamptz, oidNumeric, oidUUID, oidJSONB, oidTime, oidTimetz, oidInterval, oidInet, oidCidr, oidMacaddr, oidMacaddr8,
		oidPoint, anEnum, anArray + oidInt4, anArray + oidText, anArray + oidJSONB, anArray + oidNumeric, anArray + oidInterval, anArray + oidPoint,
	} {
		topic := fmt.Sprint(oid)
		e.options.Routes = append(e.options.Routes, &sinkd.Route{Topics: []string{topic}})
		column := sinkd.Column{Name: "v", Type: oid, Typmod: -1}
		switch {
		case oid >= anArray:
			column.Elem = oid - anArray
		case oid == anEnum:
			column.Kind = kindEnum
		}
		if i%2 == 0 {
			column.Typmod = 3<<16 + 1 + typmodHeader
		}
		key := sinkd.Column{Name: "kafka_key", Type: oidText, Typmod: -1}
		if err := e.Supply(topic, &sinkd.Table{OID: oid, Columns: []sinkd.Column{column, key}}); err != nil {
			t.Fatal(err)
		}
		claim := &sinkd.Claim{Partition: sinkd.Partition{Topic: topic}}
		batch.Ranges = append(batch.Ranges, sinkd.Range{Claim: claim, Records: sinkd.RecordsOf(rec)})
	}
	return e, batch
}

// seedValues are what the fuzzing begins with.
var seedValues = []string{
	`null`, `true`, `0`, `-1.50e+3`, `1e400`, `123456789012345678901234567890.5`, `"x"`, `"yes"`, `"NaN"`, `"-inf"`, `""`, `"\u0000"`, `"\ud83d\ude00"`,
	`"2024-01-01T10:11:12.123456+02:00"`, `"20240229T1011"`, `"infinity"`, `"0044-03-15 BC"`, `"f47ac10b-58cc-4372-a567-0e02b2c3d479"`,
	`"\\xdeadbeef"`, `"aGVsbG8="`, `[1,{"a":null}]`, `{"a":{"b":[1e999999]}}`, `1700000000123`, `"12345   "`, `0.000049`, `99999.995`, `"__debezium_unavailable_value"`,
	`"10:11:12.5+02"`, `"24:00"`, `"04:05 PM"`, `36000000`, `"P1Y2M3DT4H5M6.7S"`, `"1 year 2 mons -3 days 04:05:06.7 ago"`, `"1h30m"`, `"26:00:00"`,
	`"10.1.2.3/8"`, `"10.0.0.0/8"`, `"2001:db8::/32"`, `"::ffff:1.2.3.4"`, `"08:00:2b:01:02:03"`, `"0800.2b01.0203"`, `"08002bfffe010203"`,
	`[1,null,"3"]`, `[[1,2],[3,4]]`, `[[],[]]`, `[]`, `["a","b\"\\c",""]`, `[true,false]`, `["P1D","10:00"]`, `["10.0.0.1"]`, `["2024-01-01T10:11:12Z",0]`, `"(1,2)"`, `["(1,2)",null]`,
	`["aGk=","\\x00"]`, `[1.005,0.1]`,
}

// TestPostgresTakesWhatWeCallGood mutates values and loads all that were not
// refused here: COPY must not refuse them.
func TestPostgresTakesWhatWeCallGood(t *testing.T) {
	t.Parallel()
	rnd := newRand(t)
	values := make([]string, 0, 4000)
	for len(values) < cap(values) {
		values = append(values, mutate(rnd, seedValues[rnd.IntN(len(seedValues))]))
	}
	s := newServer(t)
	for _, typ := range everyType {
		good := 0
		for _, got := range s.copied(typ, &sinkd.Route{}, values) {
			if !strings.HasPrefix(got, "bad: ") && !strings.HasPrefix(got, "refused ") {
				good++
			}
		}
		if good < 20 {
			t.Errorf("%s: only %d of %d values are good", typ, good, len(values))
		}
	}
}

// newRand gives numbers that SEED replays.
func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d replays this", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// mutate changes a value in a few places.
func mutate(rnd *rand.Rand, v string) string {
	const letters = "0123456789+-.eE:TZ \"\\xuabn{}[],/é"
	b := []byte(v)
	for range rnd.IntN(4) {
		at := rnd.IntN(len(b))
		c := letters[rnd.IntN(len(letters))]
		switch rnd.IntN(3) {
		case 0:
			b[at] = c
		case 1:
			b = append(b[:at], append([]byte{c}, b[at:]...)...)
		case 2:
			b = append(b[:at], b[at+1:]...)
		}
		if len(b) == 0 {
			return "0"
		}
	}
	return string(b)
}
