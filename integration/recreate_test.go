package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// recreate deletes the topic and makes it anew under its name, and connects the
// producer to the new one.
func (w *world) recreate(partitions int) {
	w.t.Helper()
	ctx := w.t.Context()
	old := w.topicID()
	if _, err := w.admin().DeleteTopic(ctx, w.topic); err != nil {
		w.t.Fatal(err)
	}
	eventually(w.t, 30*time.Second, "the topic cannot be made anew", func() error {
		_, err := w.admin().CreateTopic(ctx, int32(partitions), 1, nil, w.topic)
		return err
	})
	// For a moment the broker still knows and takes records for the old one.
	eventually(w.t, 30*time.Second, "the broker does not know the new topic", func() error {
		if id := w.topicID(); id == old || id == (kadm.TopicID{}) {
			return fmt.Errorf("the topic's id is %s, it was %s", id, old)
		}
		return nil
	})
	w.connect()
}

// topicID gives the topic's id, the zero id where there is no such topic.
func (w *world) topicID() kadm.TopicID {
	w.t.Helper()
	topics, err := w.admin().Metadata(w.t.Context(), w.topic)
	try(w.t, err)
	return topics.Topics[w.topic].ID
}

// command runs another command than run to its end, and gives its exit code and
// what it printed.
func (w *world) command(e env, args ...string) (code int, out string) {
	w.t.Helper()
	s := start(w.t, e, args...)
	code = s.exit(30 * time.Second)
	return code, string(s.Output())
}

// acknowledge acknowledges the open incident of a kind, the first if there are
// several.
func (w *world) acknowledge(kind string, args ...string) {
	w.t.Helper()
	id := query[int64](w, `SELECT id FROM sinkd.incidents WHERE kind = $1 AND acked_at IS NULL ORDER BY id LIMIT 1`, kind)
	if len(id) == 0 {
		w.t.Fatalf("no open incident of kind %s", kind)
	}
	code, out := w.command(w.env(), append([]string{"incidents", "ack", fmt.Sprint(id[0])}, args...)...)
	if code != 0 {
		w.t.Fatalf("incidents ack: exit code %d\n%s", code, out)
	}
}

// clear empties the table: the rows of a topic that is no more would be in the
// way of those of its namesake, whose coordinates are the same.
func (w *world) clear() {
	w.t.Helper()
	w.exact()
	w.exec(`DELETE FROM events`)
	w.forget()
}

// TestTopicRecreatedWhileDown finds another topic under the name that it knew,
// with records at the offsets that it would read next.
func TestTopicRecreatedWhileDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	w.produce(100, 2)
	if code := start(t, w.env(), "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.clear()
	w.recreate(2)
	w.produce(400, 2)
	if code := start(t, w.env(), "run", "--until-caught-up").exit(time.Minute); code != 1 {
		t.Errorf("exit code %d of a run with halted partitions, want 1", code)
	}
	w.wantIncidents(0, "topic_recreated 0", "topic_recreated 1")
	if n := query[int64](w, `SELECT count(*) FROM events`)[0]; n != 0 {
		t.Errorf("%d records of another topic have landed", n)
	}
	w.acknowledge("topic_recreated", "--retry", "--resume-from", "earliest")
	if code := start(t, w.env(), "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d after the incident was acknowledged", code)
	}
	w.landed(time.Second)
	w.wantIncidents(0)
}

// TestTopicRecreatedWhileRunning has the topic replaced under two replicas that
// read it, by name or by pattern, which go on when a person has said from where.
func TestTopicRecreatedWhileRunning(t *testing.T) {
	t.Parallel()
	for _, subscribed := range []string{"by name", "by pattern"} {
		t.Run(subscribed, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 2)
			e := w.env()
			if subscribed == "by pattern" {
				e["SINKD_TOPICS"] = "/" + w.topic + "(_other)?/"
			}
			a, b := start(t, e), start(t, e)
			balanced(t, 30*time.Second, 1, a, b)
			w.produce(100, 2)
			w.landed(30 * time.Second)
			w.clear()
			w.recreate(2)
			w.produce(400, 2)
			w.wantIncidents(time.Minute, "topic_recreated 0", "topic_recreated 1")
			if n := query[int64](w, `SELECT count(*) FROM events`)[0]; n != 0 {
				t.Errorf("%d records of another topic have landed", n)
			}
			w.acknowledge("topic_recreated", "--retry", "--resume-from", "earliest")
			w.landed(time.Minute)
			w.wantIncidents(0)
			w.produce(100, 2)
			w.landed(30 * time.Second)
			balanced(t, 30*time.Second, 1, a, b)
		})
	}
}

// expired is a world whose partition 0 was read to offset 50, and lost the
// records from there to offset 80; partition 1 lost none.
func expired(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 2)
	w.produce(100, 2)
	if code := start(t, w.env(), "run", "--until-caught-up").exit(time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	w.produce(100, 2)
	var lose kadm.Offsets
	lose.AddOffset(w.topic, 0, 80, -1)
	if _, err := w.admin().DeleteRecords(t.Context(), lose); err != nil {
		t.Fatal(err)
	}
	for at := range w.sent {
		if at.partition == 0 && at.offset >= 50 && at.offset < 80 {
			delete(w.sent, at)
		}
	}
	return w
}

func TestRecordsExpiredWhileDown(t *testing.T) {
	t.Parallel()
	t.Run("stop", func(t *testing.T) {
		t.Parallel()
		w := expired(t)
		if code := start(t, w.env(), "run", "--until-caught-up").exit(time.Minute); code != 1 {
			t.Errorf("exit code %d of a run with a halted partition, want 1", code)
		}
		w.wantIncidents(0, "data_lost 0")
		try(t, w.reached(map[int32]int64{0: 50, 1: 100}))
		w.acknowledge("data_lost", "--retry", "--resume-from", "earliest")
		if code := start(t, w.env(), "run", "--until-caught-up").exit(time.Minute); code != 0 {
			t.Fatalf("exit code %d after the incident was acknowledged", code)
		}
		w.landed(time.Second)
		w.wantIncidents(0)
		if got := query[string](w, `SELECT format('%s-%s', generation, from_offset) FROM sinkd.batches
			WHERE partition = 0 ORDER BY generation DESC LIMIT 1`)[0]; got != "2-80" {
			t.Errorf("the generation after the reset begins at %s, want 2-80", got)
		}
	})
	t.Run("skip", func(t *testing.T) {
		t.Parallel()
		w := expired(t)
		skip := w.env().with("SINKD_ON_DATA_LOSS", "skip")
		if code := start(t, skip, "run", "--until-caught-up").exit(time.Minute); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		w.landed(time.Second)
		w.wantIncidents(0)
		skipped := query[string](w, `SELECT format('%s [%s,%s) %s', partition, from_offset, until_offset,
			records + rows + skipped + dead) FROM sinkd.batches WHERE kind = 'skip'`)
		if got := strings.Join(skipped, "; "); got != "0 [50,80) 0" {
			t.Errorf("the ledger has skipped %q, want 0 [50,80) 0", got)
		}
	})
}

// TestTopicDeleted deletes one of two topics under a service that reads both:
// the other one goes on, and its end is still looked at.
func TestTopicDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	doomed := w.topic + "_doomed"
	_, err := w.admin().CreateTopic(t.Context(), 2, 1, nil, doomed)
	try(t, err)
	s := start(t, w.env().with("SINKD_TOPICS", w.topic+","+doomed))
	balanced(t, 30*time.Second, 2, s) // two numbers, of either topic
	w.produce(100, 2)
	w.landed(30 * time.Second)
	_, err = w.admin().DeleteTopic(t.Context(), doomed)
	try(t, err)
	w.produce(100, 2)
	w.landed(30 * time.Second)
	observed := query[time.Time](w, `SELECT now()`)[0]
	eventually(t, 30*time.Second, "the topic that is left is not observed", func() error {
		n := query[int64](w, `SELECT count(*) FROM sinkd.partitions WHERE topic = $1 AND observed_at > $2`, w.topic, observed)[0]
		if n != 2 {
			return fmt.Errorf("%d partitions", n)
		}
		return nil
	})
	w.wantIncidents(0)
}
