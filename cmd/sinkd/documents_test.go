package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

// root is the repository, as the tests of this package see it.
const root = "../.."

// documents gives the text of each document of the repository by its path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/runbooks/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no documents at %s: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			texts[name] = string(text)
		}
	}
	return texts
}

// codeLine begins a command in a block of code, codeWord one within backticks.
const (
	codeLine = "(?m)^ {4,}(?:bin/)?sinkd( .*)$"
	codeWord = "`sinkd( [^`]*)`"
)

// commandsOf gives the arguments of each sinkd in a document, as far as a
// comment or the shell's next word.
func commandsOf(text, pattern string) (lines [][]string) {
	text = regexp.MustCompile("(?s)\n```sh\n.*?\n```").ReplaceAllStringFunc(text, func(block string) string {
		return strings.ReplaceAll(block, "\n", "\n    ")
	})
	word := regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+`)
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		var args []string
		for _, w := range word.FindAllString(m[1], -1) {
			if strings.ContainsAny(w[:1], "#|&;>") {
				break
			}
			if w == "ID" {
				w = "1"
			}
			args = append(args, strings.Trim(w, `'"`))
		}
		lines = append(lines, args)
	}
	return lines
}

// TestDocumentedCommands has commands in the documents that exist, with flags
// that exist. A block of code has them whole; a sentence may name one and leave
// out what it wants.
func TestDocumentedCommands(t *testing.T) {
	parser, err := kong.New(new(commands), kong.Name("sinkd"))
	if err != nil {
		t.Fatal(err)
	}
	for page, text := range documents(t) {
		whole := commandsOf(text, codeLine)
		if len(whole) == 0 && strings.Contains(page, "runbooks") && !strings.Contains(page, "OpenTransaction") {
			t.Errorf("%s has no command", page)
		}
		for _, args := range whole {
			if _, err := parser.Parse(args); err != nil {
				t.Errorf("%s: sinkd %s: %v", page, strings.Join(args, " "), err)
			}
		}
		for _, args := range commandsOf(text, codeWord) {
			_, err := parser.Parse(args)
			if err != nil && !strings.HasPrefix(err.Error(), "expected ") && !strings.HasPrefix(err.Error(), "missing ") {
				t.Errorf("%s: sinkd %s: %v", page, strings.Join(args, " "), err)
			}
		}
	}
}

// TestCommandTable has each command in the README's table of commands, and in
// each line flags of the line's commands.
func TestCommandTable(t *testing.T) {
	parser, err := kong.New(new(commands), kong.Name("sinkd"))
	if err != nil {
		t.Fatal(err)
	}
	flags := make(map[string][]string)
	for _, leaf := range parser.Model.Leaves(true) {
		for n := leaf; n != nil; n = n.Parent {
			for _, f := range n.Flags {
				flags[leaf.FullPath()] = append(flags[leaf.FullPath()], "--"+f.Name)
			}
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| (`sinkd .*?`) \\| (.*) \\|$").FindAllStringSubmatch(documents(t)["README.md"], -1) {
		var known []string
		above := ""
		for _, m := range regexp.MustCompile("`([a-z -]+[a-z])[^`]*`").FindAllStringSubmatch(row[1], -1) {
			name := m[1]
			if !strings.HasPrefix(name, "sinkd ") {
				name = above + " " + name
			}
			above = name[:strings.LastIndex(name, " ")]
			if flags[name] == nil {
				t.Errorf("there is no command %s, or it is named twice", name)
			}
			known = append(known, flags[name]...)
			delete(flags, name)
		}
		for _, flag := range regexp.MustCompile(`--[a-z][a-z-]*`).FindAllString(row[2], -1) {
			if !slices.Contains(known, flag) {
				t.Errorf("%s: there is no flag %s", row[1], flag)
			}
		}
	}
	for name := range flags {
		t.Errorf("the README's table lacks %s", name)
	}
}

// TestDocumentedVariables has variables in the documents that exist.
func TestDocumentedVariables(t *testing.T) {
	known := make(map[string]bool)
	for _, f := range reflect.VisibleFields(reflect.TypeFor[config.Variables]()) {
		known[f.Tag.Get("env")] = true
	}
	for page, text := range documents(t) {
		for _, name := range regexp.MustCompile(`SINKD_[A-Z][A-Z0-9_]*[A-Z0-9]`).FindAllString(text, -1) {
			if !known[name] && !known[strings.TrimSuffix(name, "_FILE")] && !strings.HasPrefix(name, "SINKD_LAB_") {
				t.Errorf("%s: there is no variable %s", page, name)
			}
		}
	}
}

// TestDocumentedTests has tests in the documents that exist.
func TestDocumentedTests(t *testing.T) {
	known := make(map[string]bool)
	for _, pattern := range []string{"*_test.go", "*/*_test.go", "*/*/*_test.go", "*/*/*/*_test.go"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
				known[m[1]] = true
			}
		}
	}
	for page, text := range documents(t) {
		for _, m := range regexp.MustCompile("`(Test\\w+)").FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s: there is no test %s", page, m[1])
			}
		}
	}
}

// anchors are the headings of a document, as GitHub names them in addresses.
func anchors(text string) map[string]bool {
	found := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		heading := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(heading, " ", "-")] = true
	}
	return found
}

// TestDocumentedPlaces has links, and paths within backticks, that lead
// somewhere.
func TestDocumentedPlaces(t *testing.T) {
	texts := documents(t)
	for page, text := range texts {
		for _, m := range regexp.MustCompile(`\]\(([^)#\s]*)(?:#([^)\s]*))?\)`).FindAllStringSubmatch(text, -1) {
			to := page
			switch {
			case strings.Contains(m[1], "://"):
				continue
			case m[1] != "":
				to = filepath.Join(filepath.Dir(page), m[1])
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, to)
			}
			if m[2] != "" && !anchors(texts[to])[m[2]] {
				t.Errorf("%s links to #%s, which %s does not have", page, m[2], to)
			}
		}
		for _, m := range regexp.MustCompile("`((?:cmd|deploy|docs|integration|migrations|store|stream|transform)/[\\w./-]+)`").FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", page, m[1])
			}
		}
	}
}
