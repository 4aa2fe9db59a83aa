package store_test

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// event is one record of a log: what it does, to which columns.
type event struct {
	part   int
	op     sinkd.Op
	fields [][2]string
}

// eventsOf reads a log: "0 w k=1 a=x" is a write to partition 0, d deletes, m
// marks; null is NULL, ~ a blank.
func eventsOf(text string) (events []event) {
	for line := range strings.SplitSeq(text, ";") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		part, _ := strconv.Atoi(words[0])
		e := event{part: part, op: map[string]sinkd.Op{"w": sinkd.Write, "d": sinkd.Delete, "m": sinkd.Mark}[words[1]]}
		for _, word := range words[2:] {
			name, value, _ := strings.Cut(word, "=")
			e.fields = append(e.fields, [2]string{name, strings.ReplaceAll(value, "~", " ")})
		}
		events = append(events, e)
	}
	return events
}

// target is a table that a log is written to.
type target struct {
	*fixture
	store    *store.Store
	table    *sinkd.Table
	route    *sinkd.Route
	claims   []sinkd.Claim
	next     []int64
	unfolded bool
	// text are columns that are staged as text.
	text []string
}

// target reads the table "target" by the route, and claims n partitions.
func (f *fixture) target(s *store.Store, r *sinkd.Route, n int) *target {
	f.Helper()
	table, err := s.Table(f.Context(), r, "t")
	f.must(err)
	g := &target{fixture: f, store: s, table: table, route: r, claims: f.claims(s, n), next: make([]int64, n)}
	for i := range g.claims {
		g.next[i] = g.claims[i].Next
	}
	return g
}

// batch makes the batch of a log, whose rows count as the encoder counts them.
func (g *target) batch(events []event) *sinkd.Batch {
	g.Helper()
	b := &sinkd.Batch{ID: uuid.New(), Started: time.Now()}
	at := make([]int, len(g.claims))
	for i := range g.claims {
		n := int64(len(slices.DeleteFunc(slices.Clone(events), func(e event) bool { return e.part != i })))
		at[i] = -1
		if n > 0 {
			at[i] = len(b.Ranges)
			r := from(&g.claims[i], g.next[i], g.next[i]+n)
			r.Count.Rows = int(n)
			b.Ranges = append(b.Ranges, r)
		}
	}
	seen := make([]int32, len(b.Ranges))
	for _, op := range []sinkd.Op{sinkd.Delete, sinkd.Mark, sinkd.Write} {
		clear(seen)
		for _, e := range events {
			part := at[e.part]
			if e.op == op {
				g.add(b, e, sinkd.RowRef{Range: int32(part), Index: seen[part]})
			}
			seen[part]++
		}
	}
	for i := range b.Rows {
		b.Rows[i].Buf = append(b.Rows[i].Buf, 0xff, 0xff)
	}
	return b
}

// add encodes an event into the rows of its operation and list of columns.
func (g *target) add(b *sinkd.Batch, e event, row sinkd.RowRef) {
	columns := make([]string, len(e.fields))
	for i, field := range e.fields {
		columns[i] = field[0]
	}
	at := slices.IndexFunc(b.Rows, func(r sinkd.Rows) bool { return r.Op == e.op && slices.Equal(r.Columns, columns) })
	if at < 0 {
		at = len(b.Rows)
		rows := sinkd.Rows{Table: g.table, Route: g.route, Op: e.op, Columns: columns, Unfolded: g.unfolded}
		rows.Buf = append(rows.Buf, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
		if slices.ContainsFunc(columns, g.isText) {
			for _, c := range columns {
				rows.Text = append(rows.Text, g.isText(c))
			}
		}
		b.Rows = append(b.Rows, rows)
	}
	r := &b.Rows[at]
	row.Start = len(r.Buf)
	r.Row = append(r.Row, row)
	r.Buf = binary.BigEndian.AppendUint16(r.Buf, uint16(len(columns)))
	for _, field := range e.fields {
		if field[1] == "null" {
			r.Buf = append(r.Buf, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		value := g.encode(field[0], field[1])
		r.Buf = binary.BigEndian.AppendUint32(r.Buf, uint32(len(value)))
		r.Buf = append(r.Buf, value...)
	}
}

func (g *target) isText(column string) bool { return slices.Contains(g.text, column) }

// encode gives a value's binary form, or its text where the column is staged so
// or its type has the same bytes.
func (g *target) encode(column, value string) []byte {
	g.Helper()
	at := slices.IndexFunc(g.table.Columns, func(c sinkd.Column) bool { return c.Name == column })
	if at < 0 {
		g.Fatalf("no column %s", column)
	}
	types := pgtype.NewMap()
	known, ok := types.TypeForOID(g.table.Columns[at].Type)
	if !ok || g.isText(column) {
		return []byte(value)
	}
	decoded, err := known.Codec.DecodeValue(types, known.OID, pgtype.TextFormatCode, []byte(value))
	g.must(err)
	encoded, err := types.Encode(known.OID, pgtype.BinaryFormatCode, decoded, nil)
	g.must(err)
	return encoded
}

// write applies a log as one batch.
func (g *target) write(log string) *sinkd.Batch {
	g.Helper()
	b := g.batch(eventsOf(log))
	g.must(g.store.Apply(g.Context(), 0, b))
	g.moved(b)
	return b
}

// moved moves on behind a batch that has landed.
func (g *target) moved(b *sinkd.Batch) {
	for i := range g.claims {
		for j := range b.Ranges {
			if b.Ranges[j].Claim == &g.claims[i] {
				g.next[i] = b.Ranges[j].Until
			}
		}
	}
}

// rows gives the rows of the table as text.
func (g *target) rows() string {
	g.Helper()
	return one[string](g.fixture, `SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text COLLATE "C"), '') FROM target t`)
}

// counts gives rows and skipped of each range of the last batch in the ledger.
func (g *target) counts() string {
	g.Helper()
	return one[string](g.fixture, `SELECT string_agg(rows || '/' || skipped, ' ' ORDER BY partition) FROM sinkd.batches
		WHERE batch_id = (SELECT batch_id FROM sinkd.batches ORDER BY committed_at DESC LIMIT 1)`)
}
