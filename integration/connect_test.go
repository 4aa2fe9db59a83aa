package integration_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sinkd/sinkd/integration/lab"
)

// The connector's table, with its coordinates, and the variables that
// docs/kafka-connect.md gives for it.
const (
	connectTable = `CREATE TABLE orders (id bigint, city text, at timestamptz,
		__connect_topic text, __connect_partition int, __connect_offset bigint)`
	connectColumns = `__connect_topic=@topic, __connect_partition=@partition, __connect_offset=@offset`
	wrappedColumns = `id=payload.id, city=payload.city, at=payload.at`
)

// takeover is a topic of which a connector has written 60 records of each of
// two partitions, and committed 50.
type takeover struct {
	*world
	doc string
}

func newTakeover(t *testing.T) *takeover {
	t.Helper()
	c := lab.Cluster(t)
	h := &takeover{newWorldAt(t, c.ListenAddrs()[0], lab.Database(t), 2), text(t, "docs", "kafka-connect.md")}
	h.exec(connectTable)
	var records []*kgo.Record
	for i := range 200 {
		records = append(records, &kgo.Record{Topic: h.topic, Partition: int32(i % 2), Value: fmt.Appendf(nil,
			`{"schema": {"type": "struct"}, "payload": {"id": %d, "city": "Ulm", "at": %d}}`, i, 1_700_000_000_000+i)})
	}
	try(t, h.client.ProduceSync(t.Context(), records...).FirstErr())
	h.exec(fmt.Sprintf(`INSERT INTO orders SELECT i, 'Ulm', to_timestamp(1700000000 + i / 1000.0), '%s', i %% 2, i / 2
		FROM generate_series(0, 119) AS i`, h.topic))
	offsets := make(kadm.Offsets)
	for p := range int32(2) {
		offsets.AddOffset(h.topic, p, 50, -1)
	}
	try(t, h.admin().CommitAllOffsets(t.Context(), "connect-orders-sink", offsets))
	return h
}

// section gives a section of the document.
func (h *takeover) section(heading string) string {
	h.t.Helper()
	_, rest, ok := strings.Cut(h.doc, "\n## "+heading+"\n")
	if !ok {
		h.t.Fatalf("docs/kafka-connect.md has no section %q", heading)
	}
	body, _, _ := strings.Cut(rest, "\n## ")
	return body
}

// TestTakenOverFromConnect goes through what docs/kafka-connect.md shows, with
// a connector that was killed: its rows behind the committed offset are found,
// deleted and written again, and none is there twice.
func TestTakenOverFromConnect(t *testing.T) {
	t.Parallel()
	requirePsql(t)
	h := newTakeover(t)
	for _, want := range []string{connectColumns, "SINKD_COLUMNS=id=payload.id, city=payload.city"} {
		if !strings.Contains(h.doc, want) {
			t.Errorf("the document has no %q", want)
		}
	}
	e := h.env().with("SINKD_TABLE", "orders", "SINKD_COLUMNS", wrappedColumns+", "+connectColumns)
	first, last, ok := strings.Cut(h.commands(), "bin/sinkd run\n")
	if !ok {
		t.Fatalf("no run among\n%s", h.commands())
	}
	shell(t, strings.Replace(first, " --delete-rows", "", 1), e)
	h.suspects(2)
	shell(t, first, e)
	h.suspects(0)
	out, _ := shell(t, "bin/sinkd run --until-caught-up\n"+last, e)
	if !strings.Contains(out, "100 records compared, 0 lost, 0 doubled, 0 changed, 0 unexpected") {
		t.Errorf("verify says\n%s", out)
	}
	h.whole()
}

// commands are those of sinkd in the section "Hand over".
func (h *takeover) commands() string {
	var all strings.Builder
	for _, m := range regexp.MustCompile(`(?m)^ {7}(sinkd .*)$`).FindAllStringSubmatch(h.section("Hand over"), -1) {
		all.WriteString("bin/" + m[1] + "\n")
	}
	return all.String()
}

// suspects counts the partitions in which the document's first query finds rows
// behind the position; its second one, about ids, finds none before sinkd runs.
func (h *takeover) suspects(partitions int64) {
	h.t.Helper()
	queries := regexp.MustCompile(`(?s)\n    SELECT .*?;\n`).FindAllString(h.section("Rows that are there twice"), -1)
	if len(queries) != 2 {
		h.t.Fatalf("%d queries", len(queries))
	}
	for i, want := range []int64{partitions, 0} {
		n := query[int64](h.world, `SELECT count(*) FROM (`+strings.TrimSuffix(strings.TrimSpace(queries[i]), ";")+`) AS q`)[0]
		if n != want {
			h.t.Errorf("%d lines, want %d, of%s", n, want, queries[i])
		}
	}
}

// whole has each of the 200 records in the table once.
func (h *takeover) whole() {
	h.t.Helper()
	got := query[[]int64](h.world, `SELECT ARRAY[count(*), count(DISTINCT id), count(DISTINCT (__connect_partition, __connect_offset)),
		count(*) FILTER (WHERE city = 'Ulm' AND at = to_timestamp(1700000000 + id / 1000.0))] FROM orders`)[0]
	for _, n := range got {
		if n != 200 {
			h.t.Fatalf("rows, ids, places and right ones: %v, want 200", got)
		}
	}
}

// TestWrappedByConnect has what docs/kafka-connect.md says of JSON with
// schemas: types that only the schema explains, and keys that are wrapped.
func TestWrappedByConnect(t *testing.T) {
	t.Parallel()
	w, _ := newFakeWorld(t, 1)
	w.exec(`CREATE TABLE wrapped (id bigint PRIMARY KEY, seen timestamptz, noon time, days int, price numeric, raw bytea)`)
	wrapped := []byte(`{"schema": {"type": "int64"}, "payload": 1}`)
	send := func(key, value []byte) {
		try(t, w.client.ProduceSync(t.Context(), &kgo.Record{Key: key, Value: value}).FirstErr())
	}
	send(wrapped, []byte(`{"schema": {}, "payload": {"id": 1, "seen": 1700000000123, "noon": 43200000, "days": 19675, "price": 12.50, "raw": "AQI="}}`))
	send(wrapped, []byte(`{"schema": {}, "payload": {"id": 2, "price": "BOI="}}`))
	send(wrapped, nil)
	e := w.env().with("SINKD_TABLE", "wrapped", "SINKD_MODE", "upsert", "SINKD_COLUMNS",
		"id=payload.id, seen=payload.seen, noon=payload.noon, days=payload.days, price=payload.price, raw=payload.raw")
	if code, out := w.command(e, "run", "--until-caught-up"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	got := query[string](w, `SELECT concat_ws(' ', seen AT TIME ZONE 'UTC', noon, date '1970-01-01' + days, price, raw) FROM wrapped`)
	if want := `2023-11-14 22:13:20.123 12:00:00 2023-11-14 12.50 \x0102`; len(got) != 1 || got[0] != want {
		t.Errorf("rows %q, want %q", got, want)
	}
	if dead := query[int64](w, `SELECT record_offset FROM sinkd.dead_letters ORDER BY 1`); len(dead) != 2 || dead[0] != 1 || dead[1] != 2 {
		t.Errorf("dead letters %d, want those of the decimal in base64 and of the tombstone", dead)
	}
	send(wrapped, nil)
	if code, out := w.command(e.with("SINKD_DELETES", "false"), "run", "--until-caught-up"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	if skipped := query[int64](w, `SELECT sum(skipped)::bigint FROM sinkd.batches`)[0]; skipped != 1 {
		t.Errorf("%d skipped, want the tombstone", skipped)
	}
}
