package transform

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPlainTime: what plainTime takes, parseMoment reads as the same; and it
// takes all times of its form, but for leap seconds.
func TestPlainTime(t *testing.T) {
	rnd := newRand(t)
	for range 200_000 {
		text := fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d", rnd.IntN(10_000), rnd.IntN(14), rnd.IntN(33), rnd.IntN(26), rnd.IntN(62), rnd.IntN(62))
		if n := rnd.IntN(12); n > 0 {
			text += "." + fmt.Sprintf("%020d", rnd.Uint64())[20-n:]
		}
		text += "Z"
		// Other forms, also with bytes that no arithmetic may take for digits.
		plain := rnd.IntN(2) == 0
		b := []byte(text)
		if !plain {
			b = []byte(mutate(rnd, text))
			b[rnd.IntN(len(b))] = byte(rnd.Uint32())
		}
		b = slices.Clip(b)
		got, ok := plainTime(b)
		want, known := microsOf(b)
		if ok && (!known || got != want) {
			t.Fatalf("%q: %d, want %d %t", b, got, want, known)
		}
		if plain && known != ok && !strings.Contains(text, ":60") {
			t.Fatalf("%q: taken %t, want %t", text, ok, known)
		}
	}
}

// microsOf reads a time without plainTime.
func microsOf(text []byte) (int64, bool) {
	m, ok := parseMoment(text)
	if !ok {
		return 0, false
	}
	b, ok := m.appendTime(nil)
	return int64(binary.BigEndian.Uint64(append(b, 0, 0, 0, 0, 0, 0, 0, 0))), ok
}

// TestDaysOf compares with Go's calendar, over leap years of all kinds.
func TestDaysOf(t *testing.T) {
	epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	for _, from := range []int{-4714, -450, 1550, 9_950, 5_874_000} {
		for year := from; year < from+900; year++ {
			for month := time.January; month <= time.December; month++ {
				for _, day := range []int{1, 28, daysIn(year, int(month))} {
					want := (time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() - epoch) / 86_400
					if got := daysOf(year, int(month), day); got != int(want) {
						t.Fatalf("%d-%02d-%02d: %d, want %d", year, month, day, got, want)
					}
				}
			}
		}
	}
}
