package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// Compared is what a comparison found.
type Compared struct {
	Table  string   `json:"table"`
	Topics []string `json:"topics"`
	// By is how records and rows were matched: coordinates, key, or count.
	By string `json:"by"`
	// Records were compared.
	Records    int64 `json:"records"`
	Lost       int64 `json:"lost"`
	Doubled    int64 `json:"doubled"`
	Changed    int64 `json:"changed"`
	Unexpected int64 `json:"unexpected"`
	// Discarded counts lost records whose dead letters an operator removed.
	Discarded int64 `json:"discarded"`
	// Others counts rows whose key no record has, where keys were compared.
	Others int64 `json:"other_rows"`
	// Differences are at most MaxDifferences of them, in the order of the log.
	Differences []Difference `json:"differences"`
	// Unproved is what could not be compared, and why.
	Unproved []Unproved `json:"not_proved"`
}

// Found tells that something was found, or could not be proved.
func (c *Compared) Found() bool {
	return c.Lost+c.Doubled+c.Changed+c.Unexpected > 0 || len(c.Unproved) > 0
}

// Difference is a record that the table does not have as Kafka has it.
type Difference struct {
	// Kind is lost, doubled, changed, or unexpected: a row without a record.
	Kind      string `json:"kind"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	// Rows is how many there are, Columns which differ.
	Rows    int64    `json:"rows"`
	Columns []string `json:"columns,omitempty"`
	Detail  string   `json:"detail,omitempty"`
}

// Unproved is why records, or so many of them, could not be compared.
type Unproved struct {
	Reason  string `json:"reason"`
	Records int64  `json:"records,omitempty"`
}

// MaxDifferences bounds the differences that are listed; all are counted.
const MaxDifferences = 1000

// The ways to match records and rows: see Compared.By.
const (
	ByCoordinates = "coordinates"
	ByKey         = "key"
	ByCount       = "count"
)

// Comparison compares records that are read again with the rows of one table,
// as they are in the snapshot of its verification.
type Comparison struct {
	*Verification
	Compared

	table *sinkd.Table
	route *sinkd.Route
	shape *shape
	at    coordinates
	// kept tells that Kafka has all records from where the pipeline began.
	kept bool
	// asText are the columns whose types Postgres cannot compare, or not as
	// people expect: their text forms are.
	asText map[string]bool
	// places tells that the rows' places were listed; see listPlaces.
	places bool
	// chunk has the columns of the chunk's table with their types; nil where
	// there is none yet.
	chunk map[string]string
	spare []byte
	// unfit counts rows of records that do not fit the table any more.
	unfit int64
	// pardons are the ranges with dead letters that were discarded.
	pardons []pardon
}

// Of is what a comparison is told of the table and its topics.
type Of struct {
	Table  *sinkd.Table
	Route  *sinkd.Route
	Topics []string
	// Kept tells that Kafka has all records from where the pipeline began;
	// otherwise what lies before decides what a row is, and a row may stem from
	// a record that is gone.
	Kept bool
}

// Compare begins a comparison. The table has to be read for the route.
func (v *Verification) Compare(ctx context.Context, of Of) (*Comparison, error) {
	c := &Comparison{Verification: v, table: of.Table, route: of.Route, kept: of.Kept, asText: make(map[string]bool)}
	c.Compared = Compared{Table: of.Table.String(), Topics: of.Topics, Differences: []Difference{}, Unproved: []Unproved{}}
	if err := c.readShape(ctx); err != nil {
		return nil, c.refused(err)
	}
	c.at = coordinatesOf(of.Table, of.Route)
	switch {
	case !appends(of.Route):
		c.By = ByKey
	case c.at.complete(len(of.Topics)):
		c.By = ByCoordinates
	default:
		c.By = ByCount
	}
	if err := c.prepare(ctx); err != nil {
		return nil, c.refused(err)
	}
	return c, nil
}

// prepare makes what the comparison needs beforehand.
func (c *Comparison) prepare(ctx context.Context) error {
	if err := c.findIncomparable(ctx); err != nil {
		return err
	}
	if err := c.readPardons(ctx); err != nil {
		return err
	}
	switch c.By {
	case ByCoordinates:
		return c.listPlaces(ctx)
	case ByKey:
		return c.expect(ctx)
	}
	return nil
}

const offsetsSQL = `
WITH since AS MATERIALIZED (
    SELECT greatest(t.pinned_at, (
               SELECT max(e.committed_at) FROM {s}.batches e
                WHERE e.pipeline = $1 AND e.topic = $2 AND e.partition = $3 AND e.generation < o.generation)) AS since
      FROM {s}.offsets o JOIN {s}.topics t USING (pipeline, topic)
     WHERE o.pipeline = $1 AND o.topic = $2 AND o.partition = $3
)
SELECT d.record_offset FROM {s}.dead_letters d, since
 WHERE d.pipeline = $1 AND d.topic = $2 AND d.partition = $3 AND d.record_offset >= $4 AND d.record_offset < $5
   AND d.failed_at >= since.since
 ORDER BY 1`

// Letters gives the offsets of the dead letters in a range, in order.
func (v *Verification) Letters(ctx context.Context, p sinkd.Partition, from, until int64) ([]int64, error) {
	rows, err := v.conn.Query(ctx, v.store.in(offsetsSQL), v.store.cfg.Pipeline, p.Topic, p.ID, from, until)
	if err != nil {
		return nil, v.asked(err)
	}
	letters, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	return letters, v.asked(err)
}

// Compare compares the records of one range with their rows, or keeps them for
// Finish where they are matched by key. After an error of class Data the range
// may be compared in parts.
func (c *Comparison) Compare(ctx context.Context, b *sinkd.Batch) error {
	if c.By == ByCount {
		return nil
	}
	ld := c.loadOf(b)
	if err := c.makeChunk(ctx, ld); err != nil {
		return c.refused(err)
	}
	if _, err := c.conn.Exec(ctx, "SAVEPOINT range"); err != nil {
		return c.refused(err)
	}
	failed := c.compareLoad(ctx, b, ld)
	if failed != nil {
		// What is lost with the connection is the first error.
		_, _ = c.conn.Exec(ctx, "ROLLBACK TO SAVEPOINT range")
		return c.refused(failed)
	}
	c.Records += int64(b.Records())
	_, err := c.conn.Exec(ctx, "RELEASE SAVEPOINT range")
	return c.refused(err)
}

func (c *Comparison) compareLoad(ctx context.Context, b *sinkd.Batch, ld *load) error {
	if err := c.load(ctx, b, ld); err != nil {
		return err
	}
	if c.By == ByKey {
		return c.overlay(ctx, b, ld)
	}
	return c.compareRange(ctx, b, ld)
}

// Finish gives what was found, after all ranges were compared.
func (c *Comparison) Finish(ctx context.Context) (*Compared, error) {
	var err error
	switch c.By {
	case ByKey:
		err = c.compareKeys(ctx)
	case ByCount:
		err = c.count(ctx)
	}
	if err == nil {
		err = c.limits(ctx)
	}
	if err != nil {
		return nil, c.refused(err)
	}
	if c.unfit > 0 {
		c.unproved(c.unfit, "records that have a row, and do not fit the table as it is now")
	}
	slices.SortStableFunc(c.Differences, func(a, b Difference) int { return a.compare(&b) })
	return &c.Compared, nil
}

// unproved notes what could not be compared.
func (c *Comparison) unproved(records int64, reason string) {
	c.Unproved = append(c.Unproved, Unproved{Reason: reason, Records: records})
}

// found notes a difference.
func (c *Comparison) found(d Difference) {
	switch d.Kind {
	case "lost":
		c.Lost++
	case "doubled":
		c.Doubled++
	case "changed":
		c.Changed++
	default:
		c.Unexpected++
	}
	if len(c.Differences) < MaxDifferences {
		c.Differences = append(c.Differences, d)
	}
}

// compare orders differences as the log does.
func (d *Difference) compare(o *Difference) int {
	p, q := sinkd.Partition{Topic: d.Topic, ID: d.Partition}, sinkd.Partition{Topic: o.Topic, ID: o.Partition}
	if n := p.Compare(q); n != 0 {
		return n
	}
	return int(min(1, max(-1, d.Offset-o.Offset)))
}

// refused explains an error of a statement on the table.
func (c *Comparison) refused(err error) error {
	if err == nil {
		return nil
	}
	e := Classify(err)
	e.Table = c.table.String()
	if e.SQLState == insufficientPrivilege && e.Hint == "" {
		e.Hint = fmt.Sprintf("verify reads the table: GRANT SELECT ON %s TO the role; and GRANT TEMPORARY on the database",
			quote(c.table.Schema, c.table.Name))
	}
	return e
}
