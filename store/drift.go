package store

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// errChanged tells that a table is not what rows were encoded for.
var errChanged = errors.New("the table has changed since it was read")

// divisionByZero is what sameSQL answers where the table has changed.
const divisionByZero = "22012"

// sameSQL fails where the name leads to another table by now, or the table's
// columns are not those that rows were encoded for; where $7 says so, also
// where it has more. Where $8 is a key, also where no unique index is on it any
// more: COPY and MERGE would double rows that the index keeps apart. Where $9 says
// so, also where rows may not be merged into the table any more.
//
// A binary COPY carries no types. Where a column's type was changed, its bytes
// would be read as those of another: a value that nobody sent, or a refusal as
// if the records were bad. COPY holds the table until the end of the transaction,
// so that what is found behind it held for it.
const sameSQL = `
SELECT 1 / (SELECT to_regclass($1)::oid = $2 AND count(w.name) = cardinality($3::text[])
                   AND (NOT $7::boolean OR count(*) = cardinality($3::text[]))
                   AND ($8::text[] IS NULL OR EXISTS (
                       SELECT FROM pg_index i
                        WHERE i.indrelid = $2 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
                          AND i.indnkeyatts = cardinality($8)
                          AND NOT EXISTS (SELECT FROM pg_attribute k, generate_series(0, i.indnkeyatts - 1) AS n
                                           WHERE k.attrelid = i.indrelid AND k.attnum = i.indkey[n] AND k.attname <> ALL ($8))))
                   AND (NOT $9::boolean OR EXISTS (SELECT FROM pg_class c WHERE c.oid = $2 AND ` + mergeable + `))
              FROM pg_attribute a
              LEFT JOIN unnest($3::text[], $4::oid[], $5::integer[], $6::boolean[]) AS w(name, type, typmod, required)
                ON w.name = a.attname AND w.type = a.atttypid
               AND (w.typmod IS NULL OR w.typmod = a.atttypmod AND w.required = a.attnotnull)
             WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND ($7::boolean OR w.name IS NOT NULL))::integer`

// same asks whether the load's table is what its rows were encoded for.
func (ld *load) same(whole bool) request {
	var key []string
	if ld.direct() && !ld.appends() || ld.merged {
		key = ld.table.Key
	}
	return request{sql: sameSQL, args: append(sameArgs(ld.table, whole), key, ld.merged), load: ld}
}

// sameArgs are the parameters of sameSQL up to the key.
func sameArgs(t *sinkd.Table, whole bool) []any {
	n := len(t.Columns)
	names, types, typmods, required := make([]string, n), make([]uint32, n), make([]*int32, n), make([]bool, n)
	for i := range t.Columns {
		c := &t.Columns[i]
		names[i], types[i], required[i] = c.Name, c.Declared, c.NotNull
		if c.Declared == c.Type { // of a domain they are the domain's, which are not the column's
			typmods[i] = &c.Typmod
		}
	}
	return []any{quote(t.Schema, t.Name), t.OID, names, types, typmods, required, whole}
}

// changedErr is the error of a load whose table has changed.
func (ld *load) changedErr(b *sinkd.Batch) *sinkd.Error {
	return &sinkd.Error{Class: sinkd.Schema, Table: ld.table.String(), Topic: ld.topic(b), Err: errChanged}
}

// mistaken tells that a refusal says nothing of the rows, or may pass by itself,
// only where the table is still what they were encoded for: it is asked for
// behind the transaction that was refused.
func (t *transaction) mistaken(ctx context.Context, e *sinkd.Error) *sinkd.Error {
	pg, ok := errors.AsType[*pgconn.PgError](error(e))
	if !ok || t.conn == nil || t.conn.IsClosed() || e.Class != sinkd.Data && !misread(pg) {
		return nil
	}
	for _, ld := range t.loads {
		if _, err := t.exchange(ctx, ld.same(true)); drifted(err) || pg.Code == notInState && t.unwritable(ctx, ld) {
			return ld.changedErr(t.batch)
		}
	}
	return nil
}

// drifted tells that sameSQL found a change.
func drifted(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == divisionByZero
}

// misread tells of what Postgres says of bytes of another type, and of a view
// that takes no rows.
func misread(pg *pgconn.PgError) bool {
	return pg.Code == protocolViolation || pg.Code == "XX000" || pg.Code == notInState
}
