package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

// keyed is how events enter a table with a key. The table keeps the
// coordinates, so that it shows which event of a key took effect.
type keyed struct {
	// key is an event's key, which belongs to one partition.
	key func(id int64) int64
	// deletes tells that some events are tombstones, first that the first event
	// of a key stays.
	deletes, first bool
}

// upserted has keys that come again and again, and are deleted now and then.
func upserted(partitions int64) *keyed {
	return &keyed{key: func(id int64) int64 { return id % (100 * partitions) }, deletes: true}
}

// overwritten has keys that come twice, far enough apart for a replica that was
// stopped with the first event to wake up after the second one.
func overwritten(partitions int64) *keyed {
	apart := 2000 * partitions
	return &keyed{key: func(id int64) int64 { return id/(2*apart)*apart + id%apart }}
}

// ignored has keys that come twice, in one batch or not.
func ignored(partitions int64) *keyed {
	return &keyed{key: func(id int64) int64 { return id/(2*partitions)*partitions + id%partitions }, first: true}
}

// gone tells whether an event is a tombstone.
func (k *keyed) gone(id int64) bool { return k.deletes && id%7 == 0 }

// event gives the record of an event.
func (k *keyed) event(id int64, partition int32) *kgo.Record {
	rec := &kgo.Record{Key: strconv.AppendInt(nil, k.key(id), 10), Partition: partition}
	if k.gone(id) {
		return rec
	}
	var err error
	if rec.Value, err = json.Marshal(k.row(id)); err != nil {
		panic(err) // a struct of strings and a number
	}
	return rec
}

// row is what an event becomes.
func (k *keyed) row(id int64) event {
	e := eventOf(id)
	e.ID = k.key(id)
	return e
}

// kept gives the places of the events that the table has to show, by key.
func (k *keyed) kept(sent map[place]int64) map[int64]place {
	kept := make(map[int64]place)
	for at, id := range sent {
		before, known := kept[k.key(id)]
		if !known || k.first == (at.offset < before.offset) {
			kept[k.key(id)] = at
		}
	}
	for key, at := range kept {
		if k.gone(sent[at]) {
			delete(kept, key)
		}
	}
	return kept
}

// skipped counts the events that had no effect.
func (k *keyed) skipped(sent map[place]int64) int {
	if !k.first {
		return 0
	}
	return len(sent) - len(k.kept(sent))
}

// keyedRows finds lost, changed and phantom rows of a table with a key.
func (w *world) keyedRows(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `SELECT id, name, amount::text, kafka_partition, kafka_offset FROM events`)
	if err != nil {
		return nil, err
	}
	kept := w.byKey.kept(w.sent)
	var found []string
	var got event
	var at place
	_, err = pgx.ForEachRow(rows, []any{&got.ID, &got.Name, &got.Sum, &at.partition, &at.offset}, func() error {
		want, known := kept[got.ID]
		switch {
		case !known:
			found = append(found, fmt.Sprintf("phantom at %v: %+v", at, got))
		case at != want || got != w.byKey.row(w.sent[want]):
			found = append(found, fmt.Sprintf("at %v: %+v, want what is at %v: %+v", at, got, want, w.byKey.row(w.sent[want])))
		}
		delete(kept, got.ID)
		return nil
	})
	for _, at := range kept {
		found = append(found, fmt.Sprintf("lost at %v: event %d", at, w.sent[at]))
	}
	return found, err
}
