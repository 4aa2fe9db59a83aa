package transform

import (
	"strings"

	"github.com/sinkd/sinkd/internal/nearest"
)

// suggest names the column that was probably meant, else all there are.
func (c *compiler) suggest(name string) string {
	names := make([]string, len(c.table.Columns))
	for i := range names {
		names[i] = c.table.Columns[i].Name
	}
	if near := nearest.Of(name, names, len(name)/2); len(near) > 0 {
		return "did you mean " + near[0] + "?"
	}
	return "its columns are " + strings.Join(names, ", ")
}
