package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// Rows whose keys are integers close together enter by one pass along the key's
// index, wherever the table has keys before, between and behind them.
func TestSweep(t *testing.T) {
	for _, kind := range []string{"smallint", "integer", "bigint"} {
		t.Run(kind, func(t *testing.T) {
			f := setup(t)
			f.exec(`DROP TABLE target; CREATE TABLE target (k ` + kind + ` PRIMARY KEY, a text);
				INSERT INTO target SELECT n, 'held' FROM generate_series(-3000, 3000) AS n WHERE n % 3 <> 0`)
			g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
			g.write("0 w k=1 a=held") // The next batch has no trial of COPY.
			var log []string
			for k := -1500; k < 1500; k += 2 {
				log = append(log, fmt.Sprintf("0 w k=%d a=new", k))
			}
			g.write(strings.Join(log, "; "))
			got := one[string](f, `SELECT concat_ws(' ', count(*) FILTER (WHERE a = 'new'), sum(k) FILTER (WHERE a = 'new'), count(*), sum(k)) FROM target`)
			want := one[string](f, `SELECT concat_ws(' ', count(*) FILTER (WHERE n % 2 = 0 AND n BETWEEN -1500 AND 1498), sum(n) FILTER (WHERE n % 2 = 0 AND n BETWEEN -1500 AND 1498),
				count(*), sum(n)) FROM generate_series(-3000, 3000) AS n WHERE n % 3 <> 0 OR n % 2 = 0 AND n BETWEEN -1500 AND 1498`)
			if got != want {
				t.Errorf("rows %s, want %s", got, want)
			}
			if one[int](f, `SELECT current_setting('server_version_num')::int`) < 150000 {
				return
			}
			g.store.Close(f.Context()) // A session that ends tells what it did.
			f.until(`SELECT n_tup_upd > 900 FROM pg_stat_user_tables WHERE relname = 'target'`)
			if n := one[int](f, `SELECT idx_scan FROM pg_stat_user_indexes WHERE relname = 'target'`); n > 10 {
				t.Errorf("%d look-ups for 1500 rows", n)
			}
			if n := one[int](f, `SELECT idx_tup_read FROM pg_stat_user_indexes WHERE relname = 'target'`); n > 2100 {
				t.Errorf("%d keys were read, of which 2000 are within the batch's", n)
			}
		})
	}
}

// Keys that another writer updates, deletes and inserts while a pass goes on get
// what the batch has for them.
func TestSweepMeanwhile(t *testing.T) {
	for _, other := range []string{`UPDATE target SET a = 'other' WHERE k = 1000`, `DELETE FROM target WHERE k = 1000`, `INSERT INTO target VALUES (1001, 'other')`} {
		t.Run(other[:6], func(t *testing.T) {
			f := setup(t)
			f.exec(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text);
				INSERT INTO target SELECT n, 'held' FROM generate_series(1, 2000) AS n WHERE n % 2 = 0`)
			g := f.target(f.pinned(1), keyed("target", sinkd.Upsert), 1)
			g.write("0 w k=2 a=held") // The next batch has no trial of COPY.
			conn, err := pgx.Connect(f.Context(), f.url)
			f.must(err)
			defer func() { _ = conn.Close(t.Context()) }()
			tx, err := conn.Begin(f.Context())
			f.must(err)
			_, err = tx.Exec(f.Context(), other)
			f.must(err)
			var log []string
			for k := 1; k <= 2000; k++ {
				log = append(log, fmt.Sprintf("0 w k=%d a=new", k))
			}
			b := g.batch(eventsOf(strings.Join(log, "; ")))
			applied := make(chan error, 1)
			go func() { applied <- g.store.Apply(t.Context(), 0, b) }()
			f.until(`SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid)
				WHERE l.locktype = 'transactionid' AND NOT l.granted AND a.datname = current_database()`)
			f.must(tx.Commit(f.Context()))
			f.must(<-applied)
			if got := one[string](f, `SELECT concat_ws(' ', count(*), sum(k)) FROM target WHERE a = 'new'`); got != "2000 2001000" {
				t.Errorf("rows %s", got)
			}
		})
	}
}
