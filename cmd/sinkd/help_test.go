package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// leaves gives the words of each command that does something.
func leaves(n *kong.Node, words []string) (all [][]string) {
	if n.Type == kong.CommandNode {
		words = append(slices.Clone(words), n.Name)
	}
	for _, child := range n.Children {
		all = append(all, leaves(child, words)...)
	}
	if len(n.Children) == 0 {
		all = append(all, words)
	}
	return all
}

// TestHelp asks each command for help, which shows an example with its name.
func TestHelp(t *testing.T) {
	parser, err := kong.New(new(commands))
	if err != nil {
		t.Fatal(err)
	}
	all := leaves(parser.Model.Node, nil)
	if len(all) < 20 {
		t.Errorf("%d commands: %v", len(all), all)
	}
	for _, words := range all {
		name := "sinkd " + strings.Join(words, " ")
		var out, errs strings.Builder
		if code := run(t.Context(), append(words, "--help"), nil, &out, &errs); code != exitFine || errs.Len() > 0 {
			t.Errorf("%s --help: exit code %d, %s", name, code, errs.String())
		}
		_, example, ok := strings.Cut(out.String(), "Example:")
		if !ok || !strings.Contains(example, name) || !strings.HasPrefix(out.String(), "Usage: "+name) {
			t.Errorf("%s --help:\n%s", name, out.String())
		}
	}
}
