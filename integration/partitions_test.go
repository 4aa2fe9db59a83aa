package integration_test

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// grow adds partitions to the topic, up to total, and waits until they can be
// written to.
func (w *world) grow(total int) {
	w.t.Helper()
	resps, err := w.admin().UpdatePartitions(w.t.Context(), total, w.topic)
	if err == nil {
		err = resps.Error()
	}
	try(w.t, err)
	eventually(w.t, 30*time.Second, "the new partitions are not there", func() error {
		ends, err := w.admin().ListEndOffsets(w.t.Context(), w.topic)
		if err == nil {
			err = ends.Error()
		}
		if err == nil && len(ends[w.topic]) != total {
			err = fmt.Errorf("%d partitions", len(ends[w.topic]))
		}
		return err
	})
	w.connect()
}

// TestPartitionsAddedWhileDown has new partitions, with records in them, at the
// next start: they begin at their log start, whatever the start policy.
func TestPartitionsAddedWhileDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.produce(40, 2)
	w.forget()
	latest := w.env().with("SINKD_START", "latest")
	if code := start(t, latest, "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.grow(5)
	w.produce(500, 5)
	if code := start(t, latest, "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.landed(time.Second)
	if n := query[int32](w, `SELECT partitions FROM sinkd.topics`)[0]; n != 5 {
		t.Errorf("%d partitions are known, want 5", n)
	}
}

// TestPartitionsAddedWhileRunning fills new partitions before the service has
// noticed them, which takes as long as the client's metadata may be old.
func TestPartitionsAddedWhileRunning(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.produce(40, 2)
	w.forget()
	s := start(t, w.env().with("SINKD_START", "latest"))
	s.ready(30 * time.Second)
	w.grow(4)
	w.produce(400, 4)
	w.landed(time.Minute)
}

// TestPinnedStart kills a service whose pipeline starts at the end, before its
// first batch. What is produced while it is down must not be passed over by a
// second look at where the end is.
func TestPinnedStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	w.produce(60, 3)
	w.forget()
	latest := w.env().with("SINKD_START", "latest")
	s := start(t, latest)
	s.ready(30 * time.Second)
	try(t, s.Kill())
	if n := query[int64](w, `SELECT count(*) FROM sinkd.batches`)[0]; n != 0 {
		t.Fatalf("%d ranges in the ledger before anything was produced", n)
	}
	w.produce(300, 3)
	if code := start(t, latest, "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.landed(time.Second)
}

// TestLaterTopic has a topic that a pattern matches appear while the service is
// down, after the pipeline's first start: it begins at its log start.
func TestLaterTopic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	later := w.topic + "_later"
	pattern := env{"SINKD_TOPICS": "/" + w.topic + ".*/", "SINKD_START": "latest"}
	config := w.env().with(pattern.pairs()...)
	w.produce(10, 1)
	w.forget()
	if code := start(t, config, "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if _, err := w.admin().CreateTopic(t.Context(), 2, 1, nil, later); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = w.admin().DeleteTopics(context.WithoutCancel(t.Context()), later) })
	w.topic = later
	w.connect()
	w.produce(200, 2)
	if code := start(t, config, "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.exact()
}
