// Package nearest finds the names that somebody probably meant, for messages
// that refuse one. It knows nothing of what the names stand for.
package nearest

import (
	"cmp"
	"slices"
	"strings"
)

// Of gives those of names that take at most most changes of one byte to get
// to from want, the nearest first and otherwise in the order given. Upper and
// lower case are the same.
func Of(want string, names []string, most int) []string {
	want = strings.ToLower(want)
	far := make(map[string]int, len(names))
	var near []string
	for _, name := range names {
		if far[name] = distance(want, strings.ToLower(name)); far[name] <= most {
			near = append(near, name)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(far[a], far[b]) })
	return near
}

// distance is Levenshtein's: the fewest bytes to add, drop or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
