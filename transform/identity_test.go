package transform

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// TestBytesDecideEquality compares, for each type that we fold by, Postgres's
// equality of values with that of their encoded bytes.
func TestBytesDecideEquality(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.exec("CREATE TYPE colour AS ENUM ('red', 'green', 'Red')")
	for _, c := range []struct {
		typ    string
		col    sinkd.Column
		values []string
	}{
		{"smallint", sinkd.Column{Type: oidInt2}, []string{"1", "01", "+1", "-1", "0", "-0"}},
		{"bigint", sinkd.Column{Type: oidInt8}, []string{"1", "001", "-1", "0", "-0", "9223372036854775807"}},
		{"numeric(12,3)", sinkd.Column{Type: oidNumeric, Typmod: 12<<16 | 3 + typmodHeader}, []string{
			"0", "-0", "0.000", "-0.0004", "1", "1.0", "1.00049", "1.0005", "1.001", "10000", "1e4", "-10000.000", "100000000", "0.0010", "1e-3", "NaN", "nan", "99999.9999", "100000",
		}},
		{"boolean", sinkd.Column{Type: oidBool}, []string{"t", "yes", "1", "off", "no"}},
		{"text", sinkd.Column{Type: oidText}, []string{"a", "a ", "A", "é", "e\u0301", ""}},
		{"varchar(3)", sinkd.Column{Type: oidVarchar, Typmod: 3 + typmodHeader}, []string{"a", "a ", "a  ", "a    ", "abc", "abc  "}},
		{"bytea", sinkd.Column{Type: oidBytea}, []string{`\x61`, `\x6100`, `\x`, `\xAB`, `\xab`}},
		{"uuid", sinkd.Column{Type: oidUUID}, []string{"f47ac10b58cc4372a5670e02b2c3d479", "{F47AC10B-58CC-4372-A567-0E02B2C3D479}", "f47ac10b-58cc-4372-a567-0e02b2c3d478"}},
		{"date", sinkd.Column{Type: oidDate}, []string{"2024-01-01", "2024-01-02", "infinity", "-infinity", "0001-01-01 BC"}},
		{"time", sinkd.Column{Type: oidTime}, []string{"00:00", "00:00:00", "24:00", "12:30", "12:30:00.000001", "12:30:00.0000011"}},
		{"timetz", sinkd.Column{Type: oidTimetz}, []string{"12:00+00", "13:00+01", "12:00Z", "12:00+00:00", "24:00+00", "00:00+00"}},
		{"timestamp", sinkd.Column{Type: oidTimestamp}, []string{"2024-01-01", "2024-01-01 00:00", "2024-01-01T00:00:00.000001", "infinity"}},
		{"timestamptz", sinkd.Column{Type: oidTimestamptz}, []string{"2024-01-01T00:00:00Z", "2024-01-01T01:00:00+01", "2023-12-31T24:00:00Z", "2024-01-01T01:00:00Z", "-infinity"}},
		{"macaddr", sinkd.Column{Type: oidMacaddr}, []string{"08:00:2b:01:02:03", "08002B-010203", "0800.2b01.0203", "08:00:2b:01:02:04"}},
		{"macaddr8", sinkd.Column{Type: oidMacaddr8}, []string{"08:00:2b:01:02:03", "08:00:2b:ff:fe:01:02:03", "08002B01-02030405"}},
		{"inet", sinkd.Column{Type: oidInet}, []string{"10.0.0.1", "10.0.0.1/32", "10.0.0.1/8", "10.0.0.0/8", "::1", "0:0:0:0:0:0:0:1/128", "::1/64", "::ffff:10.0.0.1"}},
		{"cidr", sinkd.Column{Type: oidCidr}, []string{"10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/32", "10.0.0.0", "::/64", "::/0", "0.0.0.0/0"}},
		{"colour", sinkd.Column{Type: 1, Kind: kindEnum}, []string{"red", "green", "Red"}},
	} {
		c.col.Typmod = max(c.col.Typmod, -1)
		if c.col.Typmod == 0 {
			c.col.Typmod = -1
		}
		if _, ok := shapeOf(&c.col); !ok {
			t.Errorf("%s is not folded by its bytes", c.typ)
			continue
		}
		put := encoderOf(&c.col, &sinkd.Route{})
		var encoded [][]byte
		for _, text := range c.values {
			b, err := put(nil, &Value{Kind: String, Bytes: []byte(text)})
			if err != nil {
				t.Fatalf("%s: %s: %v", c.typ, text, err)
			}
			encoded = append(encoded, b)
		}
		// The values are stored first: a cast to varchar(3) cuts more than a column does.
		s.exec("DROP TABLE IF EXISTS v; CREATE TABLE v (n int, v " + c.typ + ")")
		for n, text := range c.values {
			if _, err := s.conn.Exec(t.Context(), "INSERT INTO v VALUES ($1, $2::text::"+c.typ+")", n, text); err != nil {
				t.Fatalf("%s: %s: %v", c.typ, text, err)
			}
		}
		rows, err := s.conn.Query(t.Context(), "SELECT a.n, b.n, a.v = b.v FROM v a, v b WHERE a.n < b.n")
		if err != nil {
			t.Fatal(err)
		}
		var i, j int
		var equal bool
		_, err = pgx.ForEachRow(rows, []any{&i, &j, &equal}, func() error {
			if got := bytes.Equal(encoded[i], encoded[j]); got != equal {
				t.Errorf("%s: %s = %s is %v, of bytes %v", c.typ, c.values[i], c.values[j], equal, got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestBytesDoNotDecide lists types whose equal values may differ in their bytes.
func TestBytesDoNotDecide(t *testing.T) {
	for _, col := range []sinkd.Column{
		{Type: oidNumeric, Typmod: -1},
		{Type: oidFloat4},
		{Type: oidFloat8},
		{Type: oidBPChar, Typmod: 9},
		{Type: oidInterval},
		{Type: oidJSONB},
		{Type: oidText, Nondeterministic: true},
		{Type: oidVarchar, Nondeterministic: true},
		{Type: 1231, Elem: oidNumeric},
		{Type: 16999},
	} {
		if _, ok := shapeOf(&col); ok {
			t.Errorf("type %d is folded by its bytes", col.Type)
		}
	}
}

// TestManyGroups encodes records that have nearly all the columns that they
// lack in common with no other.
func TestManyGroups(t *testing.T) {
	columns := []string{"k int"}
	for i := range 14 {
		columns = append(columns, fmt.Sprintf("c%d int", i))
	}
	var messages []string
	for n := range 1 << 13 {
		text := fmt.Sprintf(`{"k":%d`, n)
		for i := range 14 {
			if n>>i&1 != 0 {
				text += fmt.Sprintf(`,"c%d":1`, i)
			}
		}
		messages = append(messages, text+"}")
	}
	for range 2 {
		got := foldOf(t, &sinkd.Route{Mode: sinkd.Upsert}, keyedTable(1, columns...), messages...)
		if len(got) != len(messages)+1 {
			t.Errorf("%d rows", len(got))
		}
	}
}
