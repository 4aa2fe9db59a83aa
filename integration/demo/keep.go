package main

import (
	"context"
	"strings"
	"time"

	"github.com/sinkd/sinkd/integration/lab"
)

// keep starts sinkd once more, with the page, prints where everything is, and
// waits for Ctrl-C.
func (d *demo) keep(ctx context.Context) error {
	addr, err := lab.FreeAddr()
	if err != nil {
		return err
	}
	env := []string{"SINKD_HTTP_ADDR=" + addr, sameMember}
	if err := d.service.start(env, "run"); err != nil {
		return err
	}
	d.printf("\nStill running, until Ctrl-C:\n\n")
	d.printf("  psql '%s'\n", d.postgres.URL())
	d.printf("  http://%s/api/status, http://%s/metrics  (sinkd, pid %d)\n", addr, addr, d.service.process.Pid())
	d.printf("  Kafka at %s, topic %s\n", d.broker.addr, topic)
	d.printf("\nThe proof is the views demo.lost, demo.doubled, demo.changed, demo.invented and demo.gaps: delete a row\n" +
		"of public.earthquakes, and see it in demo.lost. To run sinkd yourself, in another shell:\n\n")
	for _, variable := range d.service.env {
		name, value, _ := strings.Cut(variable, "=")
		d.printf("  export %s='%s'\n", name, value)
	}
	d.printf("  export SINKD_HTTP_ADDR=off\n  %s run   # or: status, check, config\n\n", d.service.path)
	return d.supervise(ctx, env)
}

// supervise starts sinkd again when it ends: whoever tries a kill -9 of his own
// should see it go on.
func (d *demo) supervise(ctx context.Context, env []string) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.service.process.Done():
		}
		select { // one that ends at once should not be started thousands of times
		case <-ctx.Done():
			return nil
		case <-time.After(500 * time.Millisecond):
		}
		if err := d.service.start(env, "run"); err != nil {
			return err
		}
		d.step("sinkd has ended and was started again, pid %d", d.service.process.Pid())
	}
}
