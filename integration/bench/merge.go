package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// mergeRows is how many rows psql merges in a transaction: as many as sinkd's
// batches have.
const mergeRows = 50_000

// mergeScript writes the records of a contest as files of mergeRows lines, and
// a script that merges them one after the other: a COPY to a temporary table
// and one INSERT for each. It gives the number of rows that the table has then,
// too.
func (b *bench) mergeScript(c *contest, partitions int) (path string, rows int64, err error) {
	p := pieces{path: b.path(c.data.name)}
	defer func() { _ = p.close() }()
	// The table holds the keys below heldRecords.
	added := make(map[int64]struct{}, c.records)
	for rec := range c.data.records(b.opts.seed, topicName(c.data, partitions), partitions, c.records) {
		id, err := strconv.ParseInt(string(rec.key), 10, 64)
		if err == nil {
			err = p.write(rec.line)
		}
		if err != nil {
			return "", 0, err
		}
		if id >= int64(c.heldRecords) {
			added[id] = struct{}{}
		}
	}
	var script strings.Builder
	script.WriteString("SET work_mem = '64MB';\nCREATE TEMPORARY TABLE stage (LIKE " + table + ") ON COMMIT DELETE ROWS;\n")
	for _, file := range p.files {
		fmt.Fprintf(&script, "BEGIN;\n\\copy stage from '%s'\n%s;\nCOMMIT;\n", file, c.data.mergeSQL())
	}
	path = p.path + ".sql"
	if err := p.close(); err != nil {
		return "", 0, err
	}
	return path, int64(c.heldRecords + len(added)), os.WriteFile(path, []byte(script.String()), 0o644)
}

// pieces are files of mergeRows lines each.
type pieces struct {
	path  string
	files []string
	lines int
	file  *os.File
	to    *bufio.Writer
}

func (p *pieces) write(line []byte) error {
	if p.lines%mergeRows == 0 {
		if err := p.close(); err != nil {
			return err
		}
		var err error
		if p.file, err = os.Create(fmt.Sprintf("%s-%d.txt", p.path, len(p.files))); err != nil {
			return err
		}
		p.files, p.to = append(p.files, p.file.Name()), bufio.NewWriterSize(p.file, 1<<20)
	}
	p.lines++
	_, err := p.to.Write(line)
	return err
}

// close closes the last file; a second time it does nothing.
func (p *pieces) close() error {
	if p.file == nil {
		return nil
	}
	err := errors.Join(p.to.Flush(), p.file.Close())
	p.file = nil
	return err
}

// mergeSQL is what a person would write to merge the stage. Where it may hold a
// key twice, the last line counts.
func (d *dataset) mergeSQL() string {
	var set []string
	for _, column := range strings.Split(d.columns, ", ") {
		if name, _, _ := strings.Cut(column, " "); name != d.key {
			set = append(set, name+" = excluded."+name)
		}
	}
	rows := "SELECT * FROM stage"
	if d.shared {
		rows = fmt.Sprintf("SELECT DISTINCT ON (%s) * FROM stage ORDER BY %s, ctid DESC", d.key, d.key)
	}
	return fmt.Sprintf("INSERT INTO %s %s ON CONFLICT (%s) DO UPDATE SET %s", table, rows, d.key, strings.Join(set, ", "))
}

// scriptRun lets psql run a script.
func (b *bench) scriptRun(ctx context.Context, script string, records int) (sample, error) {
	return b.timed(ctx, records, func(ctx context.Context) (*child, error) {
		return b.startChild(ctx, nil, b.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", b.postgres.URL(), "-f", script)
	})
}

// table makes the table anew, with what it holds before.
func (c *contest) table(ctx context.Context, b *bench) error {
	if err := b.fresh(ctx, c.data.columns); err != nil || c.held == nil {
		return err
	}
	path, err := b.textFile(c.held, 1, c.heldRecords)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := b.conn.PgConn().CopyFrom(ctx, file, "COPY "+table+" FROM STDIN"); err != nil {
		return err
	}
	for _, sql := range []string{"VACUUM ANALYZE " + table, "CHECKPOINT"} {
		if _, err := b.conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// written runs a load, and counts the WAL that was written and how large the
// table is.
func (b *bench) written(ctx context.Context, load func(context.Context) (sample, error)) (sample, error) {
	var before string
	if err := b.conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&before); err != nil {
		return sample{}, err
	}
	s, err := load(ctx)
	if err != nil {
		return s, err
	}
	err = b.conn.QueryRow(ctx, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::text::pg_lsn)::bigint, pg_total_relation_size($2::text::regclass)",
		before, table).Scan(&s.wal, &s.size)
	return s, err
}
