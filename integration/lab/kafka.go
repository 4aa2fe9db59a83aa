package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// KafkaOptions say which broker StartKafka starts.
type KafkaOptions struct {
	// Properties are put over the lab's in server.properties.
	Properties map[string]string
	// Heap is the JVM's -Xmx; "" = 640m.
	Heap string
	// Quick saves the JVM the work of compiling well: the broker starts with
	// less of the processor, and in the long run is slower. Not for benchmarks.
	Quick bool
}

// Kafka is one Apache Kafka node, broker and controller in one.
type Kafka struct {
	lab  *Lab
	java string
	libs string // class path
	dir  string // holds server.properties, data and log
	opts KafkaOptions

	port, controller int

	mu   sync.Mutex
	proc *Process
}

// StartKafka starts a broker that ends with the current lab.
func StartKafka(opts KafkaOptions) (*Kafka, error) {
	l, err := the()
	if err != nil {
		return nil, err
	}
	return l.StartKafka(opts)
}

// StartKafka starts a broker that ends with the lab. Where Java or Maven is
// not there, or Maven cannot fetch Kafka, the error is a Missing.
func (l *Lab) StartKafka(opts KafkaOptions) (*Kafka, error) {
	java, libs, err := kafkaLibs()
	if err != nil {
		return nil, err
	}
	if opts.Heap == "" {
		opts.Heap = "640m"
	}
	for attempt := 0; ; attempt++ {
		dir, err := l.subdir("kafka")
		if err != nil {
			return nil, err
		}
		k := &Kafka{lab: l, java: java, libs: filepath.Join(libs, "*"), dir: dir, opts: opts}
		if err = k.format(); err == nil {
			err = k.Start()
		}
		if err == nil {
			return k, nil
		}
		// Somebody took the free port in between.
		if attempt == 5 || !strings.Contains(string(k.Log()), "Address already in use") {
			return nil, err
		}
	}
}

// Addr is host:port of the broker.
func (k *Kafka) Addr() string { return loopback(k.port) }

// Log is what the broker has logged, warnings and errors only.
func (k *Kafka) Log() []byte {
	if p := k.process(); p != nil {
		return p.Output()
	}
	return nil
}

// Pid is the broker's process id.
func (k *Kafka) Pid() int { return k.process().Pid() }

func (k *Kafka) process() *Process {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.proc
}

// Start starts the broker after Stop or Kill, on the same ports and data, and
// returns when it answers.
func (k *Kafka) Start() error {
	proc, err := k.lab.StartProcess(ProcessOptions{
		Path: k.java, Args: k.args("kafka.Kafka", k.properties()),
		Dir: k.dir, Log: filepath.Join(k.dir, "log"),
	})
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.proc = proc
	k.mu.Unlock()
	if err := k.await(proc); err != nil {
		_ = proc.Kill()
		return fmt.Errorf("start kafka: %w; its log ends:\n%s", err, proc.Tail())
	}
	return nil
}

// args gives Java's arguments for a class of Kafka's.
func (k *Kafka) args(class string, args ...string) []string {
	all := []string{
		"-Xmx" + k.opts.Heap, "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Djava.awt.headless=true",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", k.libs,
	}
	if k.opts.Quick || class != "kafka.Kafka" {
		all = append(all, "-XX:TieredStopAtLevel=1")
	}
	return append(append(all, class), args...)
}

// await waits until the broker is part of its own cluster.
func (k *Kafka) await(proc *Process) error {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()), kgo.RetryTimeout(time.Second))
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		brokers, err := kadm.NewClient(client).ListBrokers(ctx)
		if err == nil && len(brokers) > 0 {
			return nil
		}
		select {
		case <-proc.Done():
			return fmt.Errorf("it ended: %w", proc.err)
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends the broker in order, and kills it if that takes longer than 30 s.
func (k *Kafka) Stop() error { return k.process().Stop(syscall.SIGTERM, 30*time.Second) }

// Kill ends the broker as kill -9 does.
func (k *Kafka) Kill() error { return k.process().Kill() }

// Pause stops the broker as kill -STOP does: connections stay, nothing answers.
func (k *Kafka) Pause() error { return k.process().Pause() }

// Resume lets a paused broker go on.
func (k *Kafka) Resume() error { return k.process().Resume() }

// Restart ends the broker in order and starts it again.
func (k *Kafka) Restart() error {
	if err := k.Stop(); err != nil {
		return err
	}
	return k.Start()
}
