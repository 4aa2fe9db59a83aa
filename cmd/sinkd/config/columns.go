package config

import (
	"strconv"
	"strings"

	"github.com/sinkd/sinkd"
)

// mappings reads SINKD_COLUMNS: city=address.city, seen_at=@timestamp.
func mappings(text string) (list []sinkd.Mapping, wrong, fix string) {
	const example = "write column=source, as in city=address.city, seen_at=@timestamp"
	taken := map[string]bool{}
	for _, part := range split(text) {
		column, source, ok := strings.Cut(part, "=")
		column, source = strings.TrimSpace(column), strings.TrimSpace(source)
		if !ok || column == "" || source == "" {
			return nil, strconv.Quote(part) + " is not a column with its source", example
		}
		if wrong, fix = identifier(column); wrong != "" {
			return nil, wrong, fix
		}
		if taken[column] {
			return nil, "column " + column + " is given twice", "keep one of them"
		}
		taken[column] = true
		if !isSource(source) {
			return nil, strconv.Quote(source) + " is not a source", "write a path like address.city, or @topic, @partition, @offset, @timestamp, @key, @value or @headers.name"
		}
		list = append(list, sinkd.Mapping{Column: column, Source: source})
	}
	return list, "", ""
}

// isSource tells whether the text is a path without empty steps, or one of the
// @ sources.
func isSource(source string) bool {
	if header, ok := strings.CutPrefix(source, "@headers."); ok {
		return header != ""
	}
	switch source {
	case "@topic", "@partition", "@offset", "@timestamp", "@key", "@value":
		return true
	}
	return source[0] != '@' && !strings.Contains("."+source+".", "..")
}
