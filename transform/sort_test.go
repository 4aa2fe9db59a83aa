package transform

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sinkd/sinkd"
)

// TestSort sorts keys that differ early, late, and in length only.
func TestSort(t *testing.T) {
	rnd := newRand(t)
	letters := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abc\xff"[rnd.IntN(4)]
		}
		return string(b)
	}
	for _, c := range []struct {
		name   string
		shapes []shape
		fields func() []string
	}{
		{"bigint", []shape{signed}, func() []string { return []string{bigint(rnd.Int64() >> rnd.IntN(64))} }},
		{"text", []shape{variable}, func() []string { return []string{letters(rnd.IntN(30))} }},
		{"long prefix", []shape{variable}, func() []string { return []string{"a prefix of more than eight bytes " + letters(rnd.IntN(12))} }},
		{"text, bigint", []shape{variable, signed}, func() []string { return []string{letters(rnd.IntN(3)), bigint(rnd.Int64N(100) - 50)} }},
		{"bigint, text", []shape{signed, variable}, func() []string { return []string{bigint(rnd.Int64N(20) - 10), letters(rnd.IntN(5))} }},
		{"uuid", []shape{unsigned}, func() []string { return []string{bigint(rnd.Int64N(3)) + bigint(rnd.Int64())} }},
	} {
		for _, n := range []int{1, 2, fewItems, fewItems + 1, 5000} {
			tg := &target{shapes: c.shapes, keys: len(c.shapes)}
			g := &group{}
			for i := range n {
				g.row = append(g.row, sinkd.RowRef{Start: len(g.buf), Index: int32(i)})
				g.buf = append(g.buf, 0, byte(len(c.shapes)))
				for _, field := range c.fields() {
					g.buf = append(binary.BigEndian.AppendUint32(g.buf, uint32(len(field))), field...)
				}
			}
			want := sortable(g, c.shapes)
			slices.SortFunc(want, bytes.Compare)
			e := NewEncoder(Options{})
			e.arrange(tg, g)
			if diff := cmp.Diff(want, sortable(g, c.shapes)); diff != "" {
				t.Fatalf("%d keys of %s: %s", n, c.name, diff)
			}
		}
	}
}

func bigint(n int64) string { return string(binary.BigEndian.AppendUint64(nil, uint64(n))) }

func sortable(g *group, shapes []shape) [][]byte {
	var out [][]byte
	for _, ref := range g.row {
		out = append(out, appendSortable(nil, g.buf[ref.Start+2:], shapes))
	}
	return out
}

// TestCompareVersions encodes values of each type, written in their order, and
// compares each with each; those with = in front equal the one before.
func TestCompareVersions(t *testing.T) {
	for _, c := range []struct {
		oid    uint32
		values []string
	}{
		{oidInt2, []string{"-32768", "-1", "0", "1", "255", "256"}},
		{oidInt4, []string{"-70000", "-1", "0", "1", "70000"}},
		{oidInt8, []string{"-9223372036854775808", "-1", "0", "1", "9223372036854775807"}},
		{oidNumeric, []string{
			"-Infinity", "-1e20", "-10000", "-9999.5", "-1", "-0.1", "-0.00001", "0", "=0.00", "=-0", "0.00001", "0.1", "=0.10", "0.12345", "1", "=1.0", "1.0001",
			"9999", "10000", "10000.5", "10001", "20000", "1e20", "Infinity", "NaN",
		}},
		{oidFloat8, []string{"-Infinity", "-1", "-1e-9", "-0", "=0", "1e-9", "1", "Infinity", "NaN", "=NaN"}},
		{oidFloat4, []string{"-Infinity", "-1", "-0", "=0", "1", "Infinity", "NaN"}},
		{oidDate, []string{"-infinity", "1999-12-31", "2000-01-01", "2024-01-01", "infinity"}},
		{oidTimestamptz, []string{"-infinity", "1999-12-31T23:59:59Z", "2000-01-01T00:00:00Z", "=2000-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z", "infinity"}},
		{oidUUID, []string{"00000000-0000-0000-0000-000000000001", "7fffffff-0000-0000-0000-000000000000", "ffffffff-0000-0000-0000-000000000000"}},
	} {
		col := &sinkd.Column{Type: c.oid, Typmod: -1}
		put, compare := encoderOf(col, &sinkd.Route{}), comparerOf(col)
		var encoded [][]byte
		var ranks []int
		for i, text := range c.values {
			rank := i
			if text[0] == '=' {
				text, rank = text[1:], ranks[i-1]
			}
			b, err := put(nil, &Value{Kind: String, Bytes: []byte(text)})
			if err != nil {
				t.Fatal(text, err)
			}
			encoded, ranks = append(encoded, b), append(ranks, rank)
		}
		for i := range encoded {
			for j := range encoded {
				want := min(max(ranks[i]-ranks[j], -1), 1)
				if got := compare(encoded[i], encoded[j]); got != want {
					t.Errorf("type %d: %s against %s: %d, want %d", c.oid, c.values[i], c.values[j], got, want)
				}
			}
		}
	}
}

// TestNumericKeys: of numeric(p,s), equal numbers have equal bytes, however
// they are written.
func TestNumericKeys(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	table := keyedTable(1, "k numeric", "a int")
	table.Columns[0].Typmod = (20<<16 | 3) + typmodHeader
	for range 200 {
		n, frac := (rnd.Int64N(1_000_000)+1)*int64(1-2*rnd.IntN(2)), rnd.IntN(3)*450
		got := foldOf(t, &sinkd.Route{Mode: sinkd.Upsert}, table,
			fmt.Sprintf(`{"k":%d.%03d,"a":1}`, n, frac), fmt.Sprintf(`{"k":"%d.%03d00","a":2}`, n, frac),
			fmt.Sprintf(`{"k":%d%03de-3,"a":3}`, n, frac), fmt.Sprintf(`{"k":"%d.%03d4999","a":4}`, n, frac))
		if len(got) != 2 || got[1] != "4 rows, 0 skipped, 0 dead" {
			t.Fatalf("%d.%03d: %q", n, frac, got)
		}
	}
}
