package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestRunbooks has commands in the runbooks that exist, with flags that exist.
func TestRunbooks(t *testing.T) {
	pages, err := filepath.Glob("../../docs/runbooks/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no runbooks: %v", err)
	}
	parser, err := kong.New(new(commands), kong.Name("sinkd"))
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+`)
	line := regexp.MustCompile(`(?m)^ {4,}sinkd (.*)$`)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		found := line.FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 && !strings.Contains(page, "OpenTransaction") {
			t.Errorf("%s has no command", page)
		}
		for _, m := range found {
			var args []string
			for _, w := range word.FindAllString(m[1], -1) {
				args = append(args, strings.Trim(w, `'"`))
			}
			if _, err := parser.Parse(args); err != nil {
				t.Errorf("%s: sinkd %s: %v", filepath.Base(page), m[1], err)
			}
		}
	}
}
