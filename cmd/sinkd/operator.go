package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/cmd/sinkd/config"
	"github.com/sinkd/sinkd/store"
)

// scope are the flags that name a part of the pipeline.
type scope struct {
	Topic     string `help:"One topic, in place of all." placeholder:"NAME"`
	Partition *int32 `help:"One partition of --topic." placeholder:"N"`
}

// in gives the scope, and refuses what names nothing.
func (s *scope) in() (store.Scope, error) {
	switch {
	case s.Partition == nil:
		return store.Scope{Topic: s.Topic, Partition: -1}, nil
	case s.Topic == "":
		return store.Scope{}, usageError{errors.New("--partition needs --topic")}
	case *s.Partition < 0:
		return store.Scope{}, usageError{errors.New("--partition wants a number that is not negative")}
	}
	return store.Scope{Topic: s.Topic, Partition: *s.Partition}, nil
}

// named gives a scope in words.
func named(c *config.Config, in store.Scope) string {
	switch {
	case in.Topic == "":
		return "pipeline " + c.Pipeline
	case in.Partition < 0:
		return "topic " + in.Topic
	}
	return sinkd.Partition{Topic: in.Topic, ID: in.Partition}.String()
}

// why is the flag for what is recorded.
type why struct {
	Reason string `help:"Why, for the record." placeholder:"TEXT"`
}

func (w *why) operator() store.Operator { return store.Operator{Name: operator(), Reason: w.Reason} }

// operator names who does something, for the record. A container's user has no
// name: its host is that of the pod, by which the platform's own record tells who
// was there.
func operator() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	host, _ := os.Hostname()
	return fmt.Sprintf("uid %d on %s", os.Getuid(), host)
}

// confirm asks a person whether to go on. Where nobody can be asked, --yes is
// wanted.
func (p *program) confirm(yes bool, what string) error {
	if yes {
		return nil
	}
	unasked := usageError{hinted{errRefused, what, "add --yes to do it"}}
	if !isTerminal(os.Stdin) {
		return unasked
	}
	defer p.quiet()()
	_, _ = fmt.Fprintf(p.stderr, "%s. Go on? [y/N] ", what)
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	switch answer = strings.ToLower(strings.TrimSpace(answer)); {
	case answer == "y" || answer == "yes":
		return nil
	case err != nil && answer == "": // the terminal is none: nobody has answered
		return unasked
	}
	return errRefused
}

// operated explains the error of an operator's command.
func operated(c *config.Config, err error) error {
	var e *sinkd.Error
	switch {
	case errors.Is(err, store.ErrNoPipeline):
		return hinted{store.ErrNoPipeline, "pipeline " + c.Pipeline, "sinkd run starts it; or mend SINKD_PIPELINE"}
	case errors.As(err, &e):
		return database(err)
	}
	return err
}
