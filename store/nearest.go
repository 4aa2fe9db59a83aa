package store

import (
	"cmp"
	"slices"
	"strings"
)

// nearest gives at most three of names that are close to want: by a few
// letters, or the same name in another schema.
func nearest(want string, names []string) []string {
	type candidate struct {
		name string
		far  int
	}
	var near []candidate
	_, bare, _ := strings.Cut(want, ".")
	for _, name := range names {
		far := distance(strings.ToLower(want), strings.ToLower(name))
		if _, other, _ := strings.Cut(name, "."); strings.EqualFold(other, bare) {
			far = min(far, 1)
		}
		if far <= 1+len(bare)/3 {
			near = append(near, candidate{name, far})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.far, b.far) })
	out := make([]string, 0, 3)
	for _, c := range near[:min(3, len(near))] {
		out = append(out, c.name)
	}
	return out
}

// distance is the number of bytes to insert, remove or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
