package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

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

// buildService builds sinkd as it is in this work tree. What the build needs on
// the way lies in the lab's directory, because go build leaves it behind when
// it is stopped while it links.
func buildService(ctx context.Context, l *lab.Lab) (*service, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(l.Dir(), "sinkd")
	build, err := l.StartProcess(lab.ProcessOptions{
		Path: "go", Args: []string{"build", "-pgo=off", "-gcflags=all=-l", "-o", path, "github.com/sinkd/sinkd/cmd/sinkd"},
		Env: []string{"GOTMPDIR=" + l.Dir()}, Dir: dir,
	})
	if err != nil {
		return nil, err
	}
	if err := build.Wait(ctx); err != nil {
		_ = build.Kill() // with the compilers that it has started
		return nil, fmt.Errorf("build sinkd: %w\n%s", err, build.Tail())
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

// sameMember is a name in the consumer group, so that the broker hands the
// partitions to the next process at once, without waiting whether the killed
// one comes back.
const sameMember = "SINKD_KAFKA_INSTANCE_ID=demo"

// batch is how many records a batch of sinkd holds at most, so few that a kill
// strikes in the middle of something.
const batch = 10

// forKills adds what makes the kills telling.
func forKills() []string {
	return []string{fmt.Sprintf("SINKD_BATCH_MAX_RECORDS=%d", batch), "SINKD_HTTP_ADDR=off", sameMember}
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
