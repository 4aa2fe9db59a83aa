package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with one variable, and how to mend it.
// It never holds the value of a secret.
type Problem struct {
	Variable, Wrong, Fix string
}

// String gives the problem on one line.
func (p Problem) String() string {
	return p.Variable + ": " + p.Wrong + "; " + p.Fix
}

// Problems are all that is wrong with the configuration, as one error.
type Problems []Problem

// Error gives one line a problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// add notes a problem; wrong is a format for args.
func (p *Problems) add(variable, fix, wrong string, args ...any) {
	*p = append(*p, Problem{Variable: variable, Wrong: fmt.Sprintf(wrong, args...), Fix: fix})
}

// about tells whether a problem of the variable is known already, so that
// what follows from it is not reported as well.
func (p Problems) about(variable string) bool {
	for _, problem := range p {
		if problem.Variable == variable {
			return true
		}
	}
	return false
}

// err gives the problems as an error, nil if there are none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}
