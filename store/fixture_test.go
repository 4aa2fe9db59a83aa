package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
	"github.com/sinkd/sinkd/migrations"
	"github.com/sinkd/sinkd/store"
)

func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }

// fixture is a database with bookkeeping tables and a target table of its own.
type fixture struct {
	testing.TB
	url string
	// db looks at the database beside the stores.
	db    *pgx.Conn
	table *sinkd.Table
}

func setup(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	return setupOn(t, lab.Database(t))
}

// setupOn sets up a given empty database.
func setupOn(t testing.TB, url string) *fixture {
	t.Helper()
	f := &fixture{TB: t, url: url, table: &sinkd.Table{Schema: "public", Name: "target"}}
	f.must(migrations.Up(t.Context(), url, "sinkd"))
	f.reconnect()
	f.exec(`CREATE TABLE target (k bigint NOT NULL, note text)`)
	return f
}

// reread lets batches be made for the table as it is now, if there is one.
func (f *fixture) reread() {
	f.Helper()
	rows, err := f.db.Query(f.Context(), `SELECT attrelid, attname::text, atttypid, atttypmod, attnotnull FROM pg_attribute
		WHERE attrelid = to_regclass('public.target') AND attnum > 0 AND NOT attisdropped`)
	f.must(err)
	t := &sinkd.Table{Schema: "public", Name: "target"}
	var c sinkd.Column
	_, err = pgx.ForEachRow(rows, []any{&t.OID, &c.Name, &c.Declared, &c.Typmod, &c.NotNull}, func() error {
		c.Type = c.Declared
		t.Columns = append(t.Columns, c)
		return nil
	})
	f.must(err)
	if t.OID != 0 {
		f.table = t
	}
}

// reconnect lets db look at where url leads by now.
func (f *fixture) reconnect() {
	f.Helper()
	conn, err := pgx.Connect(f.Context(), f.url)
	f.must(err)
	f.Cleanup(func() { _ = conn.Close(context.Background()) })
	f.db = conn
}

// retried calls try until the error is not a transient one.
func (f *fixture) retried(try func() error) error {
	f.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(50 * time.Millisecond) {
		err := try()
		e, ok := errors.AsType[*sinkd.Error](err)
		if !ok || e.Class != sinkd.Transient || time.Now().After(deadline) {
			return err
		}
	}
}

// proxied sends the stores that are opened from here on through a proxy.
func (f *fixture) proxied() *lab.Proxy {
	f.Helper()
	proxy, err := lab.StartProxy(f.url)
	lab.Require(f, err)
	f.url = proxy.URL(f.url)
	return proxy
}

// open opens a store, which belongs to a writer of its own.
func (f *fixture) open(options ...func(*store.Config)) *store.Store {
	f.Helper()
	cfg := store.Config{
		URL: func() (string, error) { return f.url, nil }, Schema: "sinkd", Pipeline: "p", Group: "sinkd-p",
		Writer: uuid.NewString()[:8], Lanes: 2, DeadLetterPer: time.Hour,
	}
	for _, option := range options {
		option(&cfg)
	}
	s, err := store.Open(cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		s.Close(ctx)
	})
	return s
}

// pinned opens a store whose pipeline has the topic t with n partitions that
// begin at 0.
func (f *fixture) pinned(n int, options ...func(*store.Config)) *store.Store {
	f.Helper()
	s := f.open(options...)
	if _, err := s.Register(f.Context(), "cluster"); err != nil {
		f.Fatal(err)
	}
	f.must(s.Pin(f.Context(), topic(n), make([]int64, n)))
	return s
}

func topic(partitions int) sinkd.Topic {
	return sinkd.Topic{Name: "t", ID: uuid.UUID{1}, Cluster: "cluster", Partitions: int32(partitions)}
}

// claim claims partition 0 of t.
func (f *fixture) claim(s *store.Store) *sinkd.Claim {
	f.Helper()
	return &f.claims(s, 1)[0]
}

// claims claims the first n partitions of t.
func (f *fixture) claims(s *store.Store, n int) []sinkd.Claim {
	f.Helper()
	parts := make([]sinkd.Partition, n)
	for i := range parts {
		parts[i] = sinkd.Partition{Topic: "t", ID: int32(i)}
	}
	claims, locked, err := s.Claim(f.Context(), parts)
	if err != nil || len(claims) != n || len(locked) > 0 {
		f.Fatalf("claimed %d of %d, %d locked, %v", len(claims), n, len(locked), err)
	}
	return claims
}

// batch makes a batch of ranges, each record of which is a row (offset, note).
func (f *fixture) batch(ranges ...sinkd.Range) *sinkd.Batch {
	b := &sinkd.Batch{ID: uuid.New(), Started: time.Now(), Ranges: ranges}
	f.encode(b)
	return b
}

// from makes the range [from, until) of a claim, with a record at each offset.
func from(c *sinkd.Claim, from, until int64) sinkd.Range {
	r := sinkd.Range{Claim: c, From: from, Until: until, Epoch: 3}
	for offset := from; offset < until; offset++ {
		r.Records.Append(sinkd.RecordsOf(&sinkd.Record{
			Topic: c.Topic, Partition: c.ID, Offset: offset, Timestamp: time.UnixMilli(offset).UTC(), Value: []byte("note"),
		}))
	}
	return r
}

// encode encodes the records that are not dead.
func (f *fixture) encode(b *sinkd.Batch) {
	type place struct{ at, n int }
	dead := make(map[place]bool)
	for i := range b.Dead {
		at, n, _ := b.Find(b.Dead[i].Record)
		dead[place{at, n}] = true
	}
	rows := sinkd.Rows{Table: f.table, Columns: []string{"k", "note"}}
	rows.Buf = append(rows.Buf, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	for i := range b.Ranges {
		r := &b.Ranges[i]
		r.Count = sinkd.Count{}
		for n, record := range r.Records.All() {
			r.Count.Bytes += int64(len(record.Key) + len(record.Value))
			if dead[place{i, n}] {
				r.Count.Dead++
				continue
			}
			r.Count.Rows++
			rows.Row = append(rows.Row, sinkd.RowRef{Start: len(rows.Buf), Range: int32(i), Index: int32(n)})
			rows.Buf = binary.BigEndian.AppendUint16(rows.Buf, 2)
			rows.Buf = binary.BigEndian.AppendUint32(rows.Buf, 8)
			rows.Buf = binary.BigEndian.AppendUint64(rows.Buf, uint64(record.Offset))
			rows.Buf = binary.BigEndian.AppendUint32(rows.Buf, uint32(len(record.Value)))
			rows.Buf = append(rows.Buf, record.Value...)
		}
	}
	rows.Buf = append(rows.Buf, 0xff, 0xff)
	b.Rows = nil
	if len(rows.Row) > 0 {
		b.Rows = []sinkd.Rows{rows}
	}
}

// kill makes dead letters of the batch's records at offsets.
func (f *fixture) kill(b *sinkd.Batch, offsets ...int64) *sinkd.Batch {
	for i := range b.Ranges {
		all := b.Ranges[i].Records
		for n := range all.Len() {
			record := all.At(n)
			for _, offset := range offsets {
				if record.Offset == offset {
					b.Dead = append(b.Dead, sinkd.DeadLetter{Record: record, Stage: "convert", Reason: "bad\x00 reason"})
				}
			}
		}
	}
	f.encode(b)
	return b
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) exec(sql string, args ...any) {
	f.Helper()
	if _, err := f.db.Exec(f.Context(), sql, args...); err != nil {
		f.Fatalf("%s: %v", sql, err)
	}
	if strings.Contains(sql, " TABLE ") {
		f.reread()
	}
}

// one asks for a single value.
func one[V any](f *fixture, sql string, args ...any) (v V) {
	f.Helper()
	if err := f.db.QueryRow(f.Context(), sql, args...).Scan(&v); err != nil {
		f.Fatalf("%s: %v", sql, err)
	}
	return v
}

// landed checks that the rows 0 to n-1 are in the table once each, and that
// position and ledger say the same.
func (f *fixture) landed(n int64) {
	f.Helper()
	rows := one[int64](f, `SELECT count(*) FROM target`)
	distinct := one[int64](f, `SELECT count(DISTINCT k) FROM target WHERE k BETWEEN 0 AND $1`, n-1)
	next := one[int64](f, `SELECT next_offset FROM sinkd.offsets WHERE partition = 0`)
	ledger := one[int64](f, `SELECT coalesce(sum(rows), 0)::bigint FROM sinkd.batches`)
	if rows != n || distinct != n || next != n || ledger != n {
		f.Errorf("%d rows, %d distinct, position %d, ledger %d: want %d each", rows, distinct, next, ledger, n)
	}
}

// class checks that err is a *sinkd.Error of a class, and gives it.
func (f *fixture) class(err error, want sinkd.Class) *sinkd.Error {
	f.Helper()
	e, ok := errors.AsType[*sinkd.Error](err)
	if !ok || e.Class != want {
		f.Fatalf("got %v, want class %s", err, want)
	}
	return e
}

// counter reads a series of a registry.
func (f *fixture) counter(reg *prometheus.Registry, name, label string) float64 {
	f.Helper()
	families, err := reg.Gather()
	f.must(err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := m.GetLabel()
			if family.GetName() == name && (label == "" || labels[len(labels)-1].GetValue() == label) {
				return m.GetCounter().GetValue()
			}
		}
	}
	f.Fatalf("no series %s %s", name, label)
	return 0
}

// until waits until a question is answered with true.
func (f *fixture) until(sql string) {
	f.Helper()
	for deadline := time.Now().Add(time.Minute); !one[bool](f, sql); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("never: %s", sql)
		}
	}
}
