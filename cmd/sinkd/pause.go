package main

import (
	"github.com/sinkd/sinkd/cmd/sinkd/config"
)

// pauseCommand pauses a pipeline, or a part of it.
type pauseCommand struct {
	scope
	why
}

// Help shows an example.
func (pauseCommand) Help() string {
	return "Needs SINKD_DATABASE_URL and SINKD_PIPELINE only. It is kept in PostgreSQL: processes that run stop reading within two seconds, after what they have under way, and those that start later do not begin, until sinkd resume.\n\nExample:\n\n    sinkd pause --topic orders --reason 'index build on sales.orders'"
}

// Run pauses.
func (c *pauseCommand) Run(p *program) error { return setPaused(p, &c.scope, &c.why, true) }

// resumeCommand ends pauses.
type resumeCommand struct {
	scope
	why
}

// Help shows an example.
func (resumeCommand) Help() string {
	return "Without --topic it resumes the pipeline and whatever of it was paused apart. Halted partitions stay halted: sinkd incidents list says why.\n\nExample:\n\n    sinkd resume --topic orders --partition 3"
}

// Run resumes.
func (c *resumeCommand) Run(p *program) error { return setPaused(p, &c.scope, &c.why, false) }

func setPaused(p *program, part *scope, w *why, paused bool) error {
	in, err := part.in()
	if err != nil {
		return err
	}
	c, s, err := p.openBooks(config.Database)
	if err != nil {
		return err
	}
	defer closeStore(s)
	ctx, cancel := within(p.ctx)
	defer cancel()
	still, err := s.SetPaused(ctx, in, paused, w.operator())
	if err != nil {
		return operated(c, err)
	}
	if paused {
		p.printf("%s is paused\n", named(c, in))
		return nil
	}
	p.printf("%s is resumed\n", named(c, in))
	if still {
		p.printf("pipeline %s is still paused as a whole; sinkd resume, without --topic, resumes it\n", c.Pipeline)
	}
	return nil
}
