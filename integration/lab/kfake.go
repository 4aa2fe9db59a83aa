package lab

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// KfakeOptions say which cluster StartKfake starts.
type KfakeOptions struct {
	// Brokers is their number; 0 = 1.
	Brokers int
	// Version is the release of Kafka that is imitated, such as "2.8"; "" = the
	// newest.
	Version string
	// Settings are those of the brokers that kfake knows.
	Settings map[string]string
}

// Kfake is a kfake cluster in a process of its own, which keeps nothing on
// disk: Kill loses everything.
type Kfake struct {
	*Process
	ports []int
}

// StartKfake starts a kfake cluster that ends with the current lab.
func StartKfake(opts KfakeOptions) (*Kfake, error) {
	l, err := the()
	if err != nil {
		return nil, err
	}
	return l.StartKfake(opts)
}

// StartKfake starts a kfake cluster that ends with the lab. It needs Go to
// build the program.
func (l *Lab) StartKfake(opts KfakeOptions) (*Kfake, error) {
	program, err := l.Build("github.com/sinkd/sinkd/integration/lab/kfake")
	if err != nil {
		return nil, err
	}
	k := new(Kfake)
	for range max(1, opts.Brokers) {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		k.ports = append(k.ports, port)
	}
	config, err := json.Marshal(map[string]any{
		"Ports": k.ports, "Version": opts.Version, "Broker": opts.Settings,
	})
	if err != nil {
		return nil, err
	}
	if k.Process, err = l.StartProcess(ProcessOptions{Path: program, Args: []string{string(config)}}); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		switch {
		case strings.Contains(string(k.Output()), "ready\n"):
			return k, nil
		case k.Ended() || time.Now().After(deadline):
			_ = k.Kill()
			return nil, fmt.Errorf("kfake did not start: %s", k.Tail())
		}
	}
}

// Addr is the brokers' host:port,... to start from.
func (k *Kfake) Addr() string {
	addrs := make([]string, len(k.ports))
	for i, port := range k.ports {
		addrs[i] = loopback(port)
	}
	return strings.Join(addrs, ",")
}

// Cluster gives a kfake cluster inside of the test, which can be given
// functions that answer in its place, and which ends with the test.
func Cluster(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
