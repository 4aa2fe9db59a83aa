package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

// configCommand prints the configuration.
type configCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// configured is what config prints as JSON.
type configured struct {
	Variables map[string]string `json:"variables"`
	Routes    []string          `json:"routes"`
}

// Help shows an example.
func (configCommand) Help() string {
	return "Prints NAME=value for each variable, defaults included, secrets hidden; each route, complete; then every problem, with exit code 2.\n\nExample:\n\n    sinkd config | grep KAFKA"
}

// Run prints what is in force, then what is wrong with it.
func (k configCommand) Run(p *program) error {
	c, err := p.load(config.Flow)
	if k.JSON {
		out := configured{Variables: map[string]string{}, Routes: []string{}}
		for _, s := range c.Settings() {
			out.Variables[s.Name] = s.Value
		}
		for _, r := range c.Routes {
			out.Routes = append(out.Routes, config.Describe(r))
		}
		return errors.Join(err, printJSON(p.stdout, out))
	}
	for _, s := range c.Settings() {
		value := s.Value
		if strings.ContainsAny(value, "\r\n") {
			value = strconv.Quote(value)
		}
		p.printf("%s=%s\n", s.Name, value)
	}
	for _, r := range c.Routes {
		p.printf("# route %s\n", config.Describe(r))
	}
	return err
}
