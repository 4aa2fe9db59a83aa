package transform

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/sinkd/sinkd"
)

// drawNumber makes a JSON number, mostly of few digits, many of them 0.
func drawNumber(rnd *rand.Rand) []byte {
	digits := func(b []byte, most int) []byte {
		for range rnd.IntN(most) {
			b = append(b, byte('0'+rnd.IntN(2)*rnd.IntN(10)))
		}
		return b
	}
	var b []byte
	if rnd.IntN(3) == 0 {
		b = append(b, '-')
	}
	if rnd.IntN(4) == 0 {
		b = append(b, '0')
	} else {
		b = digits(append(b, byte('1'+rnd.IntN(9))), 20)
	}
	if rnd.IntN(2) == 0 {
		b = digits(append(b, '.', byte('0'+rnd.IntN(10))), 12)
	}
	if rnd.IntN(20) == 0 {
		b = append(b, "e2"...)
	}
	return b
}

// TestShortNumber: a number that is read with its digits has the end and comes
// to the bytes that it has without them.
func TestShortNumber(t *testing.T) {
	rnd := newRand(t)
	var puts []appendFunc
	for _, unit := range []string{"s", "ms", "us", "ns"} {
		for _, c := range []sinkd.Column{
			{Type: oidInt2},
			{Type: oidInt4},
			{Type: oidInt8},
			{Type: oidTimestamptz},
			{Type: oidDate},
			{Type: oidFloat8},
			{Type: oidText, Typmod: -1},
			{Type: oidNumeric, Typmod: -1},
			{Type: oidNumeric, Typmod: typmodHeader + 10<<16 | 2},
			{Type: oidNumeric, Typmod: typmodHeader + 3<<16 | 5},
		} {
			puts = append(puts, encoderOf(&c, &sinkd.Route{EpochUnit: unit}))
		}
	}
	for range 20_000 {
		text := drawNumber(rnd)
		src := append(bytes.Clone(text), []string{"}", "] ", ",\"b\":1}", ",\"bcdefgh\":1}"}[rnd.IntN(4)]...)
		n, places, end := shortNumber(src, 0)
		if places == 0 {
			continue
		}
		if end != len(text) {
			t.Fatalf("%s: ends at %d", src, end)
		}
		bare := Value{Kind: Number, Bytes: text}
		read := Value{Kind: Number, Bytes: text, Num: uint64(n), Places: uint8(places)}
		for i, put := range puts {
			want, wrong := put(nil, &bare)
			got, err := put(nil, &read)
			if !bytes.Equal(got, want) || (err == nil) != (wrong == nil) {
				t.Fatalf("%s, encoder %d: %x %v, want %x %v", text, i, got, err, want, wrong)
			}
		}
	}
}

// TestNumericShort: by arithmetic a number comes to the bytes that it comes to
// digit by digit.
func TestNumericShort(t *testing.T) {
	rnd := newRand(t)
	for _, typmod := range []int32{-1, typmodHeader + 10<<16 | 2, typmodHeader + 3<<16 | 5, typmodHeader + 18<<16 | 9} {
		e := newNumericEncoder(typmod, unitMilli)
		for range 20_000 {
			v := Value{Kind: Number, Bytes: drawNumber(rnd)}
			n, scale, ok := shortDecimal(v.Bytes)
			if !ok {
				continue
			}
			got, ok := e.short(nil, n, scale)
			want, err := e.parse(nil, &v, v.Bytes)
			if ok && (err != nil || !bytes.Equal(got, want)) {
				t.Fatalf("%s: %x, want %x %v", v.Bytes, got, want, err)
			}
		}
	}
}
