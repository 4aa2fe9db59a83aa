package lab

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func (k *Kafka) properties() string { return filepath.Join(k.dir, "server.properties") }

// format picks the ports, writes server.properties and makes the data
// directory.
func (k *Kafka) format() error {
	var err error
	if k.port, err = freePort(); err != nil {
		return err
	}
	if k.controller, err = freePort(); err != nil {
		return err
	}
	all := k.defaults()
	maps.Copy(all, k.opts.Properties)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s=%s\n", name, strings.ReplaceAll(all[name], `\`, `\\`))
	}
	if err := os.WriteFile(k.properties(), []byte(b.String()), 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.java,
		k.args("kafka.tools.StorageTool", "format", "--standalone", "-t", clusterID(), "-c", k.properties())...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format kafka's directory: %w:\n%s", err, tail(out))
	}
	return nil
}

// clusterID makes an id of the form that Kafka's tool makes.
func clusterID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[0] &= 0x7f           // no leading dash: it would be read as an option
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// defaults are the settings of one small node whose housekeeping is quick
// enough to be waited for: retention, compaction and deletion act within about
// a second.
func (k *Kafka) defaults() map[string]string {
	return map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          "1",
		"controller.quorum.bootstrap.servers":              loopback(k.controller),
		"listeners":                                        "PLAINTEXT://" + k.Addr() + ",CONTROLLER://" + loopback(k.controller),
		"advertised.listeners":                             "PLAINTEXT://" + k.Addr(),
		"controller.listener.names":                        "CONTROLLER",
		"listener.security.protocol.map":                   "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
		"log.dirs":                                         filepath.Join(k.dir, "data"),
		"auto.create.topics.enable":                        "false",
		"num.network.threads":                              "2",
		"num.io.threads":                                   "4",
		"num.recovery.threads.per.data.dir":                "2",
		"background.threads":                               "2",
		"offsets.topic.replication.factor":                 "1",
		"offsets.topic.num.partitions":                     "4",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"transaction.state.log.num.partitions":             "4",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		"broker.session.timeout.ms":                        "6000", // a killed broker is not let in again before
		"broker.heartbeat.interval.ms":                     "500",
		"group.initial.rebalance.delay.ms":                 "0",
		"group.min.session.timeout.ms":                     "1000",
		"log.initial.task.delay.ms":                        "500",
		"log.retention.check.interval.ms":                  "500",
		"log.segment.delete.delay.ms":                      "500",
		"log.cleaner.backoff.ms":                           "500",
		"log.cleaner.dedupe.buffer.size":                   "16777216",
		"log.message.timestamp.after.max.ms":               "9223372036854775807",
	}
}
