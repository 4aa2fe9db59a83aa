package transform

import (
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sinkd/sinkd"
)

// TestSpellings: what is read of the spellings of a type, and of what differs
// little from them, lands as INSERT of the same text does. What is not read is
// a bad record, so that is no more than a few of those that are listed.
func TestSpellings(t *testing.T) {
	t.Parallel()
	for typ, unread := range map[string]int{
		"time": 4, "time(3)": 4, "timetz": 4, "interval": 10, "interval day to minute": 17, "interval(2)": 10, "inet": 4, "cidr": 5, "macaddr": 1, "macaddr8": 1,
	} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			name, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimSuffix(typ, "(3)"), "(2)"), " ")
			file, err := os.ReadFile("testdata/" + name + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			listed := strings.Split(strings.TrimSuffix(string(file), "\n"), "\n")
			rnd := newRand(t)
			texts := slices.Clone(listed)
			for range 3000 {
				texts = append(texts, misspelled(rnd, listed[rnd.IntN(len(listed))]))
			}
			s := newServer(t)
			if name == "interval" && !s.rounds() {
				t.Skip("PostgreSQL 14 reads fractions and large numbers in other ways")
			}
			got, want := s.copied(typ, &sinkd.Route{}, quoted(texts)), s.inserted(typ, texts)
			also := s.alike(typ, texts)
			for i, text := range texts {
				bad := strings.HasPrefix(got[i], "bad: ")
				switch refused := strings.HasPrefix(want[i], "refused"); {
				case bad && !refused && i < len(listed):
					unread--
					t.Logf("%q is not read, Postgres has %s", text, want[i])
				case !bad && got[i] != want[i] && !strings.HasPrefix(strings.Replace(got[i], "24:00:00", "00:00:00", 1), also[i]):
					t.Errorf("%q: COPY %s, INSERT %s", text, got[i], want[i])
				}
			}
			if unread < 0 {
				t.Errorf("%d more than expected are not read", -unread)
			}
		})
	}
}

// alike gives what INSERT makes of the same in another way, for where Postgres
// is not as exact, or not as liberal. Times of the day are read as a timestamp,
// which alone may have a date before a T, and without the digits that are
// truncated. Intervals in ISO 8601 are read with words for the letters, as
// Postgres loses digits of their fractions.
func (s *server) alike(typ string, texts []string) []string {
	finer := regexp.MustCompile(`(\.\d{6})\d+`)
	words := strings.NewReplacer("Y", " years ", "M", " mons ", "W", " weeks ", "D", " days ")
	timed := strings.NewReplacer("H", " hours ", "M", " mins ", "S", " secs ")
	others := make([]string, len(texts))
	for i, text := range texts {
		others[i] = finer.ReplaceAllString(text, "$1")
		if strings.HasPrefix(typ, "interval") {
			days, time, _ := strings.Cut(strings.TrimPrefix(text, "P"), "T")
			others[i] = words.Replace(days) + timed.Replace(time)
		}
	}
	out := s.inserted(typ, others)
	if stamp := strings.NewReplacer("timetz", "timestamp", "time", "timestamp").Replace(typ); stamp != typ {
		for i, text := range s.inserted(stamp, others) {
			if fields := strings.Fields(text); len(fields) > 1 && fields[0] != "refused" && strings.HasPrefix(out[i], "refused") {
				out[i] = fields[1] // 24:00:00 is the next day's 00:00:00
			}
		}
	}
	return out
}

// misspelled changes a text in a few places.
func misspelled(rnd *rand.Rand, text string) string {
	const letters = "0123456789+-.:/ PTZdhmsywa,@"
	b := []byte(text)
	for range 1 + rnd.IntN(3) {
		at := rnd.IntN(len(b) + 1)
		c := letters[rnd.IntN(len(letters))]
		switch {
		case at == len(b) || rnd.IntN(3) == 0:
			b = slices.Insert(b, at, c)
		case rnd.IntN(2) == 0:
			b[at] = c
		default:
			b = slices.Delete(b, at, at+1)
		}
	}
	return string(b)
}
