package transform

import "strings"

// suggest names the column that was probably meant, else all there are.
func (c *compiler) suggest(name string) string {
	best, distance := "", len(name)/2+1
	names := make([]string, 0, len(c.table.Columns))
	for i := range c.table.Columns {
		n := c.table.Columns[i].Name
		names = append(names, n)
		if d := edits(name, n); d < distance {
			best, distance = n, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "its columns are " + strings.Join(names, ", ")
}

// edits counts the characters to insert, delete or replace to get from a to b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, cost)
		}
	}
	return row[len(b)]
}
