package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sinkd/sinkd"
)

// topics reads a,b or /regex/ into the route.
func topics(text string, r *sinkd.Route) (wrong, fix string) {
	const example = "write names with commas between, or one /regex/"
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "/") {
		if len(text) < 3 || !strings.HasSuffix(text, "/") {
			return strconv.Quote(text) + " is not a regular expression between slashes", example
		}
		pattern, err := regexp.Compile("^(?:" + text[1:len(text)-1] + ")$")
		if err != nil {
			return strconv.Quote(text) + " is not a regular expression", "see https://pkg.go.dev/regexp/syntax for what it may hold"
		}
		r.Pattern = pattern
		return "", ""
	}
	names := split(text)
	if len(names) == 0 {
		return "no topic is named", example
	}
	for i, name := range names {
		switch {
		case !legal(name):
			return strconv.Quote(name) + " is not a topic's name", example + "; names have at most 249 of a-z, A-Z, 0-9, ., _ and -"
		case slices.Contains(names[:i], name):
			return "topic " + name + " is named twice", "keep one of them"
		}
	}
	r.Topics = names
	return "", ""
}

// legal tells whether Kafka would take the name for a topic.
func legal(name string) bool {
	return regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`).MatchString(name) && name != "." && name != ".."
}
