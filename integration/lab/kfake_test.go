package lab_test

import (
	"strings"
	"testing"

	"github.com/sinkd/sinkd/integration/lab"
)

func TestKfake(t *testing.T) {
	t.Parallel()
	k, err := lab.StartKfake(lab.KfakeOptions{Brokers: 2, Version: "3.5"})
	lab.Require(t, err)
	first, _, _ := strings.Cut(k.Addr(), ",")
	roundTrip(t, first, lab.Topic(t, first, 3))
	if err := k.Kill(); err != nil {
		t.Fatal(err)
	}
}

func TestClusterInProcess(t *testing.T) {
	t.Parallel()
	addr := lab.Cluster(t).ListenAddrs()[0]
	roundTrip(t, addr, lab.Topic(t, addr, 3))
}
