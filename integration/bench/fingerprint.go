package main

import "context"

// fingerprint tells the rows of a table apart from others, in whatever order
// they lie: sums of two independent hashes of each row's text.
type fingerprint struct {
	rows int64
	a, b string
}

func (b *bench) fingerprint(ctx context.Context) (fingerprint, error) {
	const sql = `SELECT count(*),
		coalesce(sum(hashtextextended(t::text, 0)), 0)::text,
		coalesce(sum(hashtextextended(t::text, 1)), 0)::text
		FROM ` + table + ` t`
	var f fingerprint
	err := b.conn.QueryRow(ctx, sql).Scan(&f.rows, &f.a, &f.b)
	return f, err
}
