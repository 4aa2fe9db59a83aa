package nearest_test

import (
	"strings"
	"testing"

	"github.com/sinkd/sinkd/internal/nearest"
)

func TestOf(t *testing.T) {
	const names = "order orders Orders customers"
	for _, test := range []struct {
		want string
		most int
		near string
	}{
		{"orders", 0, "orders Orders"},
		{"orders", 1, "orders Orders order"},
		{"ORDER", 0, "order"},
		{"custmers", 1, "customers"},
		{"cstomer", 1, ""},
		{"cstomer", 2, "customers"},
		{"", 5, "order"},
		{"x", 100, "order orders Orders customers"},
	} {
		if got := strings.Join(nearest.Of(test.want, strings.Fields(names), test.most), " "); got != test.near {
			t.Errorf("nearest to %q within %d: %q in place of %q", test.want, test.most, got, test.near)
		}
	}
	if got := nearest.Of("x", nil, 10); len(got) != 0 {
		t.Error(got)
	}
}
