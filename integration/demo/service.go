package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sinkd/sinkd/integration/lab"
)

// columns is SINKD_COLUMNS: columns that have the name of a field (id), or of
// a coordinate (kafka_partition, kafka_offset), need no entry.
const columns = "at=properties.time, magnitude=properties.mag, place=properties.place, " +
	"kind=properties.type, felt=properties.felt, coordinates=geometry.coordinates"

// service is the program sinkd and the environment that it is run with.
type service struct {
	lab     *lab.Lab
	path    string
	env     []string
	process *lab.Process // the last that was started
}

// buildService builds sinkd as it is in this work tree.
func buildService(ctx context.Context, l *lab.Lab) (*service, error) {
	path := filepath.Join(l.Dir(), "sinkd")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/sinkd/sinkd/cmd/sinkd")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it removes its temporary files
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("build sinkd: %w\n%s", err, out)
	}
	return &service{lab: l, path: path}, nil
}

// configure gives the service its whole configuration. Whatever the caller's
// environment says of sinkd is not meant for the demo.
func (s *service) configure(brokers, database string) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "SINKD_") {
			_ = os.Unsetenv(name)
		}
	}
	s.env = []string{
		"SINKD_KAFKA_BROKERS=" + brokers,
		"SINKD_TOPICS=" + topic,
		"SINKD_DATABASE_URL=" + database,
		"SINKD_TABLE=public.earthquakes",
		"SINKD_COLUMNS=" + columns,
	}
}

// forKills adds what makes the kills telling: small batches, so that they
// strike in the middle of something, and a name in the consumer group, so that
// the broker hands the partitions to the next process at once, without waiting
// whether the killed one comes back.
func forKills() []string {
	return []string{"SINKD_BATCH_MAX_RECORDS=10", "SINKD_KAFKA_INSTANCE_ID=demo", "SINKD_HTTP_ADDR=off"}
}

// start starts sinkd with the arguments and variables given.
func (s *service) start(env []string, args ...string) error {
	p, err := s.lab.StartProcess(lab.ProcessOptions{
		Path: s.path, Args: args, Env: append(append([]string{"SINKD_LOG_FORMAT=text"}, s.env...), env...),
	})
	s.process = p
	return err
}

// ended tells, as an error, that sinkd has ended when it should not have.
func (s *service) ended() error {
	if !s.process.Ended() {
		return nil
	}
	return fmt.Errorf("sinkd ended by itself; its last lines:\n%s", s.process.Tail())
}
