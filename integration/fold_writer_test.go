package integration_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
	"github.com/sinkd/sinkd/migrations"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/transform"
)

// foldWriter writes logs as lanes do: by an encoder of each lane and one store.
type foldWriter struct {
	t      *testing.T
	url    string
	db     *pgx.Conn
	store  *store.Store
	tables []*foldTable
	lanes  []*transform.Encoder
	claims map[sinkd.Partition]*sinkd.Claim
	// position is where each partition is.
	position map[sinkd.Partition]int64
}

// foldLanes is the number of lanes.
const foldLanes = 2

// newFoldWriter makes writer n.
func newFoldWriter(t *testing.T, n int) *foldWriter {
	t.Helper()
	url := lab.Database(t)
	w := &foldWriter{
		t: t, tables: foldTables(n % foldWriters),
		claims: make(map[sinkd.Partition]*sinkd.Claim), position: make(map[sinkd.Partition]int64),
	}
	try(t, migrations.Up(t.Context(), url, "sinkd"))
	var err error
	w.db, err = pgx.Connect(t.Context(), url)
	try(t, err)
	t.Cleanup(func() { w.db.Close(context.Background()) })
	w.exec("SET timezone = 'UTC'")
	w.exec("CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
	w.url = url
	w.open()
	t.Cleanup(func() { w.store.Close(context.Background()) })
	_, err = w.store.Register(t.Context(), "cluster")
	try(t, err)
	w.supply()
	return w
}

// open opens a store. The claims of an earlier one stay good.
func (w *foldWriter) open() {
	w.t.Helper()
	if w.store != nil {
		w.store.Close(w.t.Context())
	}
	var err error
	w.store, err = store.Open(store.Config{
		URL: func() (string, error) { return w.url, nil }, Schema: "sinkd", Pipeline: "p", Group: "sinkd-p",
		Writer: uuid.NewString()[:8], Lanes: foldLanes, DeadLetterPer: time.Hour,
	})
	try(w.t, err)
}

// supply makes the tables, claims their partitions, and gives the encoders what
// they need to know.
func (w *foldWriter) supply() {
	w.t.Helper()
	var routes []*sinkd.Route
	for _, t := range w.tables {
		routes = append(routes, t.route)
	}
	for range foldLanes {
		w.lanes = append(w.lanes, transform.NewEncoder(transform.Options{Routes: routes}))
	}
	for _, t := range w.tables {
		w.exec(t.ddl())
		table, err := w.store.Table(w.t.Context(), t.route, t.name)
		try(w.t, err)
		for _, e := range w.lanes {
			try(w.t, e.Supply(t.name, table))
		}
		w.claim(t.name)
	}
}

func (w *foldWriter) claim(topic string) {
	w.t.Helper()
	try(w.t, w.store.Pin(w.t.Context(), sinkd.Topic{
		Name: topic, ID: uuid.New(), Cluster: "cluster", Partitions: foldPartitions,
	}, make([]int64, foldPartitions)))
	var parts []sinkd.Partition
	for id := range int32(foldPartitions) {
		parts = append(parts, sinkd.Partition{Topic: topic, ID: id})
	}
	claims, _, err := w.store.Claim(w.t.Context(), parts)
	try(w.t, err)
	for i := range claims {
		w.claims[claims[i].Partition] = &claims[i]
	}
}

func (w *foldWriter) exec(sql string) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), sql); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

func (w *foldWriter) next(p sinkd.Partition) int64 { return w.position[p] }

// clear empties the log's tables, ledger and dead letters.
func (w *foldWriter) clear(c *foldLog) {
	w.t.Helper()
	sql := "DELETE FROM sinkd.batches; DELETE FROM sinkd.dead_letters"
	for _, t := range c.tables {
		sql += "; DELETE FROM " + t.name
	}
	w.exec(sql)
}

// write writes the log. Each partition belongs to one lane; lanes write at the
// same time.
func (w *foldWriter) write(r *rand.Rand, c *foldLog) error {
	batches := cut(r, c, w.claims, 1+r.IntN(foldLanes))
	group, ctx := errgroup.WithContext(w.t.Context())
	for lane := range batches {
		group.Go(func() error {
			for _, b := range batches[lane] {
				if err := w.land(ctx, lane, b); err != nil {
					return fmt.Errorf("lane %d: %w", lane, err)
				}
			}
			return nil
		})
	}
	for _, p := range c.parts {
		w.position[p.Partition] = p.until
	}
	return group.Wait()
}

// land encodes and applies a batch. Where Postgres refuses its data it is
// split, until one record is left.
func (w *foldWriter) land(ctx context.Context, lane int, b *sinkd.Batch) error {
	e := w.lanes[lane]
	if needs := e.Encode(b); needs != nil {
		return fmt.Errorf("it needs %v", needs)
	}
	err := w.store.Apply(ctx, lane, b)
	var refused *sinkd.Error
	if !errors.As(err, &refused) || refused.Class != sinkd.Data {
		e.Recycle(b)
		return err
	}
	parts := b.Split(refused.Record)
	e.Recycle(b)
	for _, part := range parts {
		if err := w.land(ctx, lane, part); err != nil {
			return err
		}
	}
	if parts != nil {
		return nil
	}
	return w.bury(ctx, lane, b, refused)
}

// bury makes the batch's one record a dead letter.
func (w *foldWriter) bury(ctx context.Context, lane int, b *sinkd.Batch, e *sinkd.Error) error {
	r := &b.Ranges[0]
	r.Count = sinkd.Count{Dead: 1}
	b.Dead = append(b.Dead, sinkd.DeadLetter{Record: r.Records.At(0), Stage: "write", Reason: e.Err.Error(), SQLState: e.SQLState})
	return w.store.Apply(ctx, lane, b)
}

// cut cuts the log into batches, lane by lane: a batch takes some records of
// some of the lane's partitions.
func cut(r *rand.Rand, c *foldLog, claims map[sinkd.Partition]*sinkd.Claim, lanes int) [][]*sinkd.Batch {
	of := make([][]*foldPart, lanes)
	for _, p := range c.parts {
		if p.from < p.until {
			lane := r.IntN(lanes)
			of[lane] = append(of[lane], p)
		}
	}
	most := 1 + r.IntN(40)
	batches := make([][]*sinkd.Batch, lanes)
	for lane, parts := range of {
		at, taken := make([]int64, len(parts)), make([]int, len(parts))
		for i, p := range parts {
			at[i] = p.from
		}
		for {
			b := &sinkd.Batch{ID: uuid.New(), Started: time.Now()}
			rest := 0
			for i, p := range parts {
				left := len(p.records) - taken[i]
				n := min(r.IntN(most+1), left)
				if rest += left - n; n == 0 && left > 0 || at[i] == p.until {
					continue
				}
				rg := p.ranged(claims[p.Partition], taken[i], n)
				rg.From, at[i] = at[i], rg.Until
				taken[i] += n
				b.Ranges = append(b.Ranges, rg)
			}
			slices.SortFunc(b.Ranges, func(x, y sinkd.Range) int { return x.Claim.Compare(y.Claim.Partition) })
			if len(b.Ranges) > 0 {
				batches[lane] = append(batches[lane], b)
			}
			if rest == 0 {
				break
			}
		}
	}
	return batches
}

// ranged gives a range of n records from first on, which ends in front of the
// next.
func (p *foldPart) ranged(claim *sinkd.Claim, first, n int) sinkd.Range {
	rg := sinkd.Range{Claim: claim, Epoch: -1, Until: p.until}
	for _, rec := range p.records[first : first+n] {
		rg.Records.Append(sinkd.RecordsOf(rec.Record))
	}
	if next := first + n; next < len(p.records) {
		rg.Until = p.records[next].Offset
	}
	return rg
}

// compare compares tables, ledger and dead letters with a fold of the log, and
// tells what differs.
func (w *foldWriter) compare(c *foldLog) []string {
	w.t.Helper()
	var findings []string
	for _, t := range c.tables {
		m := newFoldModel(t)
		tally := make(map[sinkd.Partition]*foldTally)
		for _, p := range c.parts {
			if p.table == t {
				tally[p.Partition] = m.fold(p)
			}
		}
		if got, want := w.lines(t), m.lines(); !slices.Equal(got, want) {
			findings = append(findings, fmt.Sprintf("%s has\n  %s\nwant\n  %s", t.name, strings.Join(got, "\n  "), strings.Join(want, "\n  ")))
		}
		findings = append(findings, w.ledger(t, tally)...)
	}
	return findings
}

// lines gives a table's rows as lines in order.
func (w *foldWriter) lines(t *foldTable) []string {
	w.t.Helper()
	var columns []string
	for _, name := range t.columns() {
		columns = append(columns, "coalesce("+name+"::text, 'NULL')")
	}
	rows, err := w.db.Query(w.t.Context(), "SELECT "+strings.Join(columns, "||'|'||")+" FROM "+t.name)
	try(w.t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	try(w.t, err)
	slices.SortFunc(lines, cmp.Compare[string])
	return lines
}
