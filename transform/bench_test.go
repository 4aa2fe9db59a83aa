package transform

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sinkd/sinkd"
)

// orders is the table of the speed measurements.
func orders() *sinkd.Table {
	return &sinkd.Table{OID: 1, Schema: "public", Name: "orders", Columns: []sinkd.Column{
		{Name: "id", Type: oidInt8, TypeName: "bigint", Typmod: -1},
		{Name: "customer", Type: oidText, TypeName: "text", Typmod: -1},
		{Name: "status", Type: oidText, TypeName: "text", Typmod: -1},
		{Name: "amount", Type: oidNumeric, TypeName: "numeric", Typmod: -1},
		{Name: "created_at", Type: oidTimestamptz, TypeName: "timestamp with time zone", Typmod: -1},
		{Name: "items", Type: oidJSONB, TypeName: "jsonb", Typmod: -1},
	}}
}

// narrow gives records of about 140 bytes with six fields, all mapped.
func narrow(n int) []*sinkd.Record {
	records := make([]*sinkd.Record, n)
	for i := range records {
		records[i] = &sinkd.Record{Topic: "orders", Offset: int64(i), Timestamp: time.UnixMilli(1700000000000 + int64(i)), Value: fmt.Appendf(nil,
			`{"id":%d,"customer":"cust-%06d","status":"new","amount":%d.%02d,"created_at":"2024-03-%02dT12:34:56.%06dZ","items":{"sku":"A-%d","q":%d}}`,
			1_000_000+i, i%100_000, i%10_000, i%100, i%28+1, i%1_000_000, i%1000, i%9+1)}
	}
	return records
}

// wide gives records of about 1 KB with 30 fields, six of them mapped.
func wide(n int) []*sinkd.Record {
	records := narrow(n)
	for i, rec := range records {
		var b strings.Builder
		members := strings.SplitN(strings.Trim(string(rec.Value), "{}"), ",", 6)
		b.WriteByte('{')
		for j := range 24 {
			fmt.Fprintf(&b, `"attribute_%02d":"value of attribute %d %d",`, j, j, i%1000)
			if j%4 == 3 {
				b.WriteString(members[j/4])
				if j < 23 {
					b.WriteByte(',')
				}
			}
		}
		b.WriteString("}}")
		rec.Value = []byte(b.String())
	}
	return records
}

// batchOf gives a batch of one range.
func batchOf(records []*sinkd.Record) *sinkd.Batch {
	claim := &sinkd.Claim{Partition: sinkd.Partition{Topic: records[0].Topic}}
	return &sinkd.Batch{Ranges: []sinkd.Range{{Claim: claim, Until: int64(len(records)), Records: sinkd.RecordsOf(records...)}}}
}

func newOrders(tb testing.TB, t *sinkd.Table) *Encoder {
	tb.Helper()
	e := NewEncoder(Options{Routes: []*sinkd.Route{{Topics: []string{"orders"}}}, MaxRecordBytes: 8 << 20})
	if err := e.Supply("orders", t); err != nil {
		tb.Fatal(err)
	}
	return e
}

func volume(records []*sinkd.Record) (n int64) {
	for _, rec := range records {
		n += int64(len(rec.Value))
	}
	return n
}

const benchRecords = 1000

// perRecord reports what a record costs in CPU time since start, which on a
// busy machine says more than the clock, and what it weighs.
func perRecord(b *testing.B, start time.Duration, records []*sinkd.Record) {
	b.Helper()
	b.ReportMetric(float64((cpuTime(b)-start).Nanoseconds())/float64(b.N)/float64(len(records)), "cpu-ns/record")
	b.ReportMetric(float64(volume(records))/float64(len(records)), "B/record")
}

// cpuTime is what the process has used so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchmarkDecode(b *testing.B, records []*sinkd.Record) {
	b.Helper()
	p := newOrders(b, orders()).plans["orders"]
	b.ReportAllocs()
	b.SetBytes(volume(records))
	start := cpuTime(b)
	for b.Loop() {
		for _, rec := range records {
			if err := p.read(rec); err != nil {
				b.Fatal(err)
			}
		}
	}
	perRecord(b, start, records)
}

func benchmarkEncode(b *testing.B, t *sinkd.Table, records []*sinkd.Record) {
	b.Helper()
	e, batch := newOrders(b, t), batchOf(records)
	b.ReportAllocs()
	b.SetBytes(volume(records))
	start := cpuTime(b)
	for b.Loop() {
		e.Encode(batch)
	}
	if len(batch.Dead) > 0 || len(batch.Rows[0].Row) != len(records) {
		b.Fatal(batch.Dead[0].Reason)
	}
	perRecord(b, start, records)
}

func BenchmarkDecode(b *testing.B) {
	b.Run("narrow", func(b *testing.B) { benchmarkDecode(b, narrow(benchRecords)) })
	b.Run("wide", func(b *testing.B) { benchmarkDecode(b, wide(benchRecords)) })
}

func BenchmarkEncode(b *testing.B) {
	landing := &sinkd.Table{Schema: "public", Name: "landing", Columns: sinkd.Landing()}
	b.Run("narrow", func(b *testing.B) { benchmarkEncode(b, orders(), narrow(benchRecords)) })
	b.Run("wide", func(b *testing.B) { benchmarkEncode(b, orders(), wide(benchRecords)) })
	b.Run("landing", func(b *testing.B) { benchmarkEncode(b, landing, narrow(benchRecords)) })
}

// BenchmarkColumn measures the encoders alone.
func BenchmarkColumn(b *testing.B) {
	for _, c := range []struct {
		name string
		oid  uint32
		v    Value
	}{
		{"bigint", oidInt8, Value{Kind: Number, Bytes: []byte("1234567")}},
		{"bigint/1e3", oidInt8, Value{Kind: Number, Bytes: []byte("1e3")}},
		{"double", oidFloat8, Value{Kind: Number, Bytes: []byte("1234.5678")}},
		{"numeric/short", oidNumeric, Value{Kind: Number, Bytes: []byte("1234.56")}},
		{"numeric/long", oidNumeric, Value{Kind: Number, Bytes: []byte("-123456789012345678901234567890.123456789")}},
		{"real", oidFloat4, Value{Kind: Number, Bytes: []byte("0.5")}},
		{"text", oidText, Value{Kind: String, Bytes: []byte("customer-123456")}},
		{"timestamptz", oidTimestamptz, Value{Kind: String, Bytes: []byte("2024-03-01T12:34:56.123456Z")}},
		{"timestamptz/epoch", oidTimestamptz, Value{Kind: Number, Bytes: []byte("1700000000123")}},
		{"uuid", oidUUID, Value{Kind: String, Bytes: []byte("f47ac10b-58cc-4372-a567-0e02b2c3d479")}},
		{"jsonb", oidJSONB, Value{Kind: JSON, Bytes: []byte(`{"sku":"A-1","qty":1}`)}},
		{"bytea", oidBytea, Value{Kind: String, Bytes: []byte("aGVsbG8gd29ybGQhIQ==")}},
	} {
		b.Run(c.name, func(b *testing.B) {
			put := encoderOf(&sinkd.Column{Type: c.oid, Typmod: -1}, &sinkd.Route{})
			var dst []byte
			var err error
			b.ReportAllocs()
			for b.Loop() {
				if dst, err = put(dst[:0], &c.v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// kinds is a table with a column for each of the types beside the common ones.
func kinds() *sinkd.Table {
	t := &sinkd.Table{OID: 2, Schema: "public", Name: "kinds"}
	for name, oid := range map[string]uint32{
		"at": oidTime, "atz": oidTimetz, "long": oidInterval, "words": oidInterval, "ip": oidInet, "net": oidCidr, "mac": oidMacaddr, "mac8": oidMacaddr8, "spot": oidPoint,
	} {
		t.Columns = append(t.Columns, sinkd.Column{Name: name, Type: oid, Typmod: -1})
	}
	t.Columns = append(t.Columns,
		sinkd.Column{Name: "mood", Type: anEnum, Kind: kindEnum, Typmod: -1},
		sinkd.Column{Name: "tags", Type: anArray, Elem: oidText, Typmod: -1},
		sinkd.Column{Name: "sums", Type: anArray, Elem: oidNumeric, Typmod: -1},
		sinkd.Column{Name: "docs", Type: anArray, Elem: oidJSONB, Typmod: -1},
		sinkd.Column{Name: "spots", Type: anArray, Elem: oidPoint, Typmod: -1},
	)
	return t
}

// ofKinds gives records for it.
func ofKinds(n int) []*sinkd.Record {
	records := make([]*sinkd.Record, n)
	for i := range records {
		records[i] = &sinkd.Record{Topic: "orders", Offset: int64(i), Value: fmt.Appendf(nil,
			`{"at":"10:11:%02d.5","atz":"10:11:12+02:00","long":"P1Y2M3DT4H5M6.7S","words":"1 year 2 days 04:05:06.7","ip":"2001:db8::%d/64","net":"10.0.0.0/8",`+
				`"mac":"08:00:2b:01:02:03","mac8":"0800.2b01.0203","spot":"(1,%d)","mood":"new","tags":["a","b\n",null],"sums":[[%d.5],["1e3"]],"docs":[{"a":[1]}],"spots":["(1,2)",null]}`,
			i%60, i, i, i)}
	}
	return records
}

// TestNoAllocations holds for every column type that the measurements use, and
// for records whose fields come and go.
func TestNoAllocations(t *testing.T) {
	landing := &sinkd.Table{Schema: "public", Name: "landing", Columns: sinkd.Landing()}
	changing := narrow(300)
	headers := narrow(300)
	for _, rec := range headers {
		rec.Key = []byte{0xff}
		rec.Headers = []sinkd.Header{{Key: []byte(strings.Repeat("long name ", 10)), Value: []byte("text")}, {Key: []byte("base64:"), Value: []byte{0}}}
	}
	for i, rec := range changing {
		switch i % 3 {
		case 0:
			rec.Value = []byte(`{"extra` + strconv.Itoa(i%7) + `":"\u00e9",` + string(rec.Value[1:]))
		case 1:
			rec.Value = []byte(`{"customer":"a\nb","id":1e3,"amount":"12345678901234567890.5","items":[1e-5]}`)
		}
	}
	for _, c := range []struct {
		name    string
		table   *sinkd.Table
		records []*sinkd.Record
	}{
		{"narrow", orders(), narrow(300)},
		{"wide", orders(), wide(300)},
		{"landing", landing, narrow(300)},
		{"headers", landing, headers},
		{"changing", orders(), changing},
		{"kinds", kinds(), ofKinds(300)},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, b := newOrders(t, c.table), batchOf(c.records)
			e.Encode(b)
			if b.Ranges[0].Count.Rows != len(c.records) {
				t.Fatal(b.Dead[0].Reason)
			}
			if n := testing.AllocsPerRun(20, func() { e.Encode(b) }); n != 0 {
				t.Errorf("%v allocations in a batch of %d records", n, len(c.records))
			}
		})
	}
}
