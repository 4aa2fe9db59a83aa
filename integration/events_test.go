package integration_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd/integration/lab"
)

// event is the record that the tests produce: its content is a function of a
// number that is unique in the topic, so a changed row can be told from a lost
// one.
type event struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Sum  string `json:"amount"`
}

func eventOf(id int64) event {
	return event{ID: id, Name: fmt.Sprintf("event %d", id*7919%1000003), Sum: fmt.Sprintf("%d.%02d", id%997, id%100)}
}

// eventsTable is the DDL of the table that takes events with coordinates; it
// has no key, so that a doubled row is seen.
const eventsTable = `CREATE TABLE events (id bigint, name text, amount numeric(12,2),
	kafka_partition int, kafka_offset bigint)`

// place is a record's coordinates.
type place struct {
	partition int32
	offset    int64
}

// world is one topic, one database and what was produced: what has to be in
// the table in the end.
type world struct {
	t       testing.TB
	brokers string
	topic   string
	url     string
	client  *kgo.Client

	connecting sync.Mutex
	conn       *pgx.Conn

	// byKey is how events enter a table with a key; nil = all are rows.
	byKey *keyed
	// grows is after how many events they have a field more; 0 = never.
	grows int64
	// bookless tells that sinkd keeps no tables: positions are the group's.
	bookless bool

	mu   sync.Mutex
	next int64
	sent map[place]int64 // good events by coordinates
	bad  map[place]bool  // records that can never be rows
}

// newWorld makes a topic on the shared broker, and a database with the events
// table.
func newWorld(t testing.TB, partitions int) *world {
	t.Helper()
	addr := lab.SharedKafka(t).Addr()
	return newWorldAt(t, addr, lab.Database(t), partitions)
}

// newWorldAt is newWorld on a broker and a database of the test's own.
func newWorldAt(t testing.TB, brokers, url string, partitions int) *world {
	t.Helper()
	w := &world{
		t: t, brokers: brokers, url: url, topic: lab.Topic(t, brokers, partitions),
		sent: make(map[place]int64), bad: make(map[place]bool),
	}
	w.connect()
	t.Cleanup(func() { w.client.Close() })
	t.Cleanup(w.disconnect)
	w.exec(eventsTable)
	return w
}

// connect makes the producer, a new one where the topic is no longer what it
// was.
func (w *world) connect() {
	w.t.Helper()
	if w.client != nil {
		w.client.Close()
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(w.brokers), kgo.DefaultProduceTopic(w.topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		w.t.Fatal(err)
	}
	w.client = client
}

// env is the configuration of a sinkd that reads this world.
func (w *world) env() env {
	return env{
		"SINKD_KAFKA_BROKERS": w.brokers, "SINKD_TOPICS": w.topic, "SINKD_TABLE": "events",
		"SINKD_DATABASE_URL": w.url, "SINKD_KAFKA_SESSION_TIMEOUT": "6s", "SINKD_KAFKA_REBALANCE_TIMEOUT": "10s",
		"SINKD_KAFKA_GROUP": w.topic, // the broker is shared, and all pipelines have the same name
	}
}

// ids gives the numbers of n new events: from first on.
func (w *world) ids(n int) (first int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first = w.next
	w.next += int64(n)
	return first
}

// event gives the record of an event.
func (w *world) event(id int64, partition int32) *kgo.Record {
	if w.byKey != nil {
		return w.byKey.event(id, partition)
	}
	value, err := json.Marshal(eventOf(id))
	if err != nil {
		panic(err) // a struct of strings and a number
	}
	return w.grown(id, &kgo.Record{Value: value, Partition: partition})
}

// produce sends n events, spread over the partitions.
func (w *world) produce(n, partitions int) {
	w.t.Helper()
	if err := w.tryProduce(w.t.Context(), n, partitions); err != nil {
		w.t.Fatal(err)
	}
}

// tryProduce is produce for goroutines other than the test's.
func (w *world) tryProduce(ctx context.Context, n, partitions int) error {
	first := w.ids(n)
	recs := make([]*kgo.Record, n)
	for i := range recs {
		id := first + int64(i)
		recs[i] = w.event(id, int32(id%int64(partitions)))
	}
	return w.send(ctx, recs, func(i int, at place) { w.sent[at] = first + int64(i) })
}

// produceBad sends records that no table takes.
func (w *world) produceBad(values []string, partition int32) {
	w.t.Helper()
	recs := make([]*kgo.Record, len(values))
	for i, v := range values {
		recs[i] = &kgo.Record{Value: []byte(v), Partition: partition}
	}
	if err := w.send(w.t.Context(), recs, func(_ int, at place) { w.bad[at] = true }); err != nil {
		w.t.Fatal(err)
	}
}

// send notes what was acknowledged, also where something was not.
func (w *world) send(ctx context.Context, recs []*kgo.Record, note func(i int, at place)) error {
	index := make(map[*kgo.Record]int, len(recs))
	for i, r := range recs {
		index[r] = i
	}
	var failed error
	// The results come in the order of the acknowledgements.
	for _, res := range w.client.ProduceSync(ctx, recs...) {
		if res.Err != nil {
			failed = fmt.Errorf("produce: %w", res.Err)
			continue
		}
		w.mu.Lock()
		note(index[res.Record], place{res.Record.Partition, res.Record.Offset})
		w.mu.Unlock()
	}
	return failed
}

// forget lets nothing that was sent so far be expected in the table.
func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.sent)
	clear(w.bad)
}

// database gives the world's connection, a new one where it was lost. The
// mutex is held.
func (w *world) database() *pgx.Conn {
	w.t.Helper()
	ctx := context.WithoutCancel(w.t.Context())
	if w.conn != nil && (w.conn.IsClosed() || w.conn.Ping(ctx) != nil) {
		_ = w.conn.Close(ctx)
		w.conn = nil
	}
	if w.conn == nil {
		conn, err := pgx.Connect(ctx, w.url)
		if err != nil {
			w.t.Fatal(err)
		}
		w.conn = conn
	}
	return w.conn
}

// disconnect is the end of the world's connection.
func (w *world) disconnect() {
	w.connecting.Lock()
	defer w.connecting.Unlock()
	if w.conn != nil {
		_ = w.conn.Close(context.Background())
	}
}

// ask asks the database and collects the rows.
func ask[T any](w *world, sql string, args ...any) ([]T, error) {
	w.t.Helper()
	w.connecting.Lock()
	defer w.connecting.Unlock()
	rows, err := w.database().Query(w.t.Context(), sql, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	return out, nil
}

// query is ask where an error fails the test.
func query[T any](w *world, sql string, args ...any) []T {
	w.t.Helper()
	out, err := ask[T](w, sql, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) exec(sql string) {
	w.t.Helper()
	w.connecting.Lock()
	defer w.connecting.Unlock()
	if _, err := w.database().Exec(w.t.Context(), sql); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// audit compares the database with what was produced: every event once, by
// coordinates and content; dead letters exactly the bad records; the ledger
// contiguous and its counts true; the positions at the end of the ledger.
func (w *world) audit() error {
	w.t.Helper()
	if w.bookless {
		return w.converged()
	}
	w.connecting.Lock()
	defer w.connecting.Unlock()
	conn := w.database()
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []string
	for _, check := range []func(context.Context, *pgx.Conn) ([]string, error){w.rows, w.letters, w.ledger} {
		f, err := check(w.t.Context(), conn)
		if err != nil {
			return err
		}
		found = append(found, f...)
	}
	if len(found) > 0 {
		return fmt.Errorf("%d findings:\n%s", len(found), strings.Join(found[:min(len(found), 20)], "\n"))
	}
	return nil
}

// rows finds lost, doubled, changed and phantom rows.
func (w *world) rows(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	if w.byKey != nil {
		return w.keyedRows(ctx, conn)
	}
	rows, err := conn.Query(ctx, `SELECT id, name, amount::text, kafka_partition, kafka_offset FROM events`)
	if err != nil {
		return nil, err
	}
	var found []string
	seen := make(map[place]int, len(w.sent))
	var got event
	var at place
	_, err = pgx.ForEachRow(rows, []any{&got.ID, &got.Name, &got.Sum, &at.partition, &at.offset}, func() error {
		seen[at]++
		id, known := w.sent[at]
		switch {
		case !known:
			found = append(found, fmt.Sprintf("phantom at %v: %+v", at, got))
		case seen[at] > 1:
			found = append(found, fmt.Sprintf("doubled at %v: %+v", at, got))
		case eventOf(id) != got:
			found = append(found, fmt.Sprintf("changed at %v: %+v, want %+v", at, got, eventOf(id)))
		}
		return nil
	})
	for at, id := range w.sent {
		if seen[at] == 0 {
			found = append(found, fmt.Sprintf("lost at %v: event %d", at, id))
		}
	}
	return found, err
}

// letters compares the dead letters with the bad records.
func (w *world) letters(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `SELECT partition, record_offset, reason FROM sinkd.dead_letters`)
	if err != nil {
		return nil, err
	}
	var found []string
	seen := make(map[place]bool)
	var at place
	var reason string
	_, err = pgx.ForEachRow(rows, []any{&at.partition, &at.offset, &reason}, func() error {
		seen[at] = true
		if !w.bad[at] {
			found = append(found, fmt.Sprintf("dead letter of a good record at %v: %s", at, reason))
		}
		return nil
	})
	for at := range w.bad {
		if !seen[at] {
			found = append(found, fmt.Sprintf("no dead letter for the bad record at %v", at))
		}
	}
	return found, err
}

// ledger finds gaps, overlaps and wrong counts in sinkd.batches, and positions
// that are not where it ends.
func (w *world) ledger(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `
		SELECT format('%s[%s] ledger: [%s,%s) after %s', topic, partition, from_offset, until_offset, before)
		FROM (SELECT *, lag(until_offset) OVER (PARTITION BY topic, partition, generation ORDER BY from_offset, until_offset) AS before
		      FROM sinkd.batches) b WHERE before <> from_offset
		UNION ALL
		SELECT format('%s[%s] counts: %s records, %s rows, %s skipped, %s dead', topic, partition, records, rows, skipped, dead)
		FROM sinkd.batches WHERE records <> rows + skipped + dead
		UNION ALL
		SELECT format('%s[%s] position %s, ledger until %s', o.topic, o.partition, o.next_offset, b.until)
		FROM sinkd.offsets o JOIN (SELECT topic, partition, generation, max(until_offset) AS until
			FROM sinkd.batches GROUP BY 1, 2, 3) b USING (topic, partition, generation)
		WHERE o.next_offset <> b.until`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// exact fails the test where the audit finds something.
func (w *world) exact() {
	w.t.Helper()
	if err := w.audit(); err != nil {
		w.t.Error(err)
	}
}
