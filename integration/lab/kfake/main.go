// Command kfake is the franz-go project's fake Kafka cluster as a process of
// its own, for the lab: what happens to a test or to sinkd does not happen to
// the broker. It keeps nothing on disk. Its one argument is a Config as JSON;
// when it is ready it prints "ready" to standard output, and it runs until it
// is ended.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Config says what cluster to run.
type Config struct {
	// Ports are those of the brokers, on loopback: one broker each.
	Ports []int
	// Version is the release of Kafka that is imitated, such as 2.8; "" = the
	// newest.
	Version string
	// Broker are settings of the brokers.
	Broker map[string]string
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kfake:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("one argument is wanted, a configuration as JSON")
	}
	var config Config
	if err := json.Unmarshal([]byte(args[0]), &config); err != nil {
		return err
	}
	opts := []kfake.Opt{kfake.Ports(config.Ports...), kfake.NumBrokers(len(config.Ports))}
	if config.Version != "" {
		version := kversion.FromString(config.Version)
		if version == nil {
			return fmt.Errorf("no version %q", config.Version)
		}
		opts = append(opts, kfake.MaxVersions(version))
	}
	if len(config.Broker) > 0 {
		opts = append(opts, kfake.BrokerConfigs(config.Broker))
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return err
	}
	defer cluster.Close()
	if _, err := fmt.Fprintln(stdout, "ready"); err != nil {
		return err
	}
	<-signals
	return nil
}
