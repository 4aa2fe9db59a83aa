package transform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }

// insertSQL makes a function that inserts each text into a table as a literal,
// one by one, and tells which of them were refused.
const insertSQL = `
CREATE FUNCTION insert_texts(texts text[], type text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    out text;
BEGIN
    EXECUTE 'CREATE TEMP TABLE want (v ' || type || ')';
    FOR n IN 1 .. coalesce(array_length(texts, 1), 0) LOOP
        BEGIN
            EXECUTE format('INSERT INTO want VALUES (%L) RETURNING v::text', texts[n]) INTO out;
            RETURN NEXT out;
        EXCEPTION WHEN others THEN
            RETURN NEXT 'refused ' || SQLSTATE;
        END;
    END LOOP;
    DROP TABLE want;
END $$`

// columnsSQL describes the columns of a table as the store does, with domains
// followed to their base type.
const columnsSQL = `
WITH RECURSIVE base(attnum, type, typmod) AS (
    SELECT attnum, atttypid, atttypmod FROM pg_attribute WHERE attrelid = 'got'::regclass AND attnum > 0
    UNION ALL
    SELECT b.attnum, t.typbasetype, CASE WHEN b.typmod >= 0 THEN b.typmod ELSE t.typtypmod END
      FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype = 'd'
)
SELECT a.attname, b.type, t.typtype, coalesce(e.oid, 0), coalesce(e.typtype, ''), format_type(a.atttypid, a.atttypmod), b.typmod
  FROM pg_attribute a
  JOIN base b USING (attnum)
  JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd'
  LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
 WHERE a.attrelid = 'got'::regclass
 ORDER BY a.attnum`

// server is a database of one test.
type server struct {
	t    testing.TB
	conn *pgx.Conn
}

func newServer(t testing.TB) *server {
	t.Helper()
	config, err := pgx.ParseConfig(lab.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec // tables come and go
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, conn: conn}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	s.exec("SET timezone = 'UTC'")
	s.exec(insertSQL)
	return s
}

// rounds tells whether the server's intervals are of a version that rounds
// fractions, and bounds numbers, as later ones do.
func (s *server) rounds() (is bool) {
	s.t.Helper()
	if err := s.conn.QueryRow(s.t.Context(), "SELECT current_setting('server_version_num')::int >= 150000").Scan(&is); err != nil {
		s.t.Fatal(err)
	}
	return is
}

func (s *server) exec(sql string) {
	s.t.Helper()
	if _, err := s.conn.Exec(s.t.Context(), sql); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// inserted gives what INSERT makes of each text.
func (s *server) inserted(typ string, texts []string) []string {
	s.t.Helper()
	rows, err := s.conn.Query(s.t.Context(), "SELECT * FROM insert_texts($1, $2)", texts, typ)
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// table makes a table of a column n and a column v of the type, and describes
// it as the catalog does.
func (s *server) table(typ string) *sinkd.Table {
	s.t.Helper()
	_, err := s.conn.Exec(s.t.Context(), "DROP TABLE IF EXISTS got; CREATE TABLE got (n int, v "+typ+")")
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "22023" {
		s.t.Skipf("this PostgreSQL has no %s", typ)
	} else if err != nil {
		s.t.Fatal(err)
	}
	return s.described()
}

// described describes the table got.
func (s *server) described() *sinkd.Table {
	s.t.Helper()
	t := &sinkd.Table{OID: 1, Schema: "public", Name: "got"}
	rows, err := s.conn.Query(s.t.Context(), columnsSQL)
	if err != nil {
		s.t.Fatal(err)
	}
	t.Columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c sinkd.Column, err error) {
		return c, row.Scan(&c.Name, &c.Type, &c.Kind, &c.Elem, &c.ElemKind, &c.TypeName, &c.Typmod)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return t
}

// copied gives what the encoder and COPY make of each JSON value: Postgres's
// text of it, NULL, or bad and the reason.
func (s *server) copied(typ string, r *sinkd.Route, values []string) []string {
	s.t.Helper()
	table := s.table(typ)
	r.Topics = []string{"topic"}
	e := NewEncoder(Options{Routes: []*sinkd.Route{r}})
	if err := e.Supply("topic", table); err != nil {
		s.t.Fatal(err)
	}
	records := make([]*sinkd.Record, len(values))
	for n, v := range values {
		records[n] = &sinkd.Record{Topic: "topic", Offset: int64(n), Value: fmt.Appendf(nil, `{"n":%d,"v":%s}`, n, v)}
	}
	b := batchOf(records)
	e.Encode(b)
	out := make([]string, len(values))
	for _, d := range b.Dead {
		out[d.Record.Offset] = "bad: " + d.Reason
	}
	for i := range b.Rows {
		switch v := table.Columns[1]; {
		case b.Rows[i].Text != nil:
			s.stage(typ, b.Rows[i], out)
		case v.Kind == kindEnum || v.ElemKind == kindEnum || s.domain(typ):
			s.trickle(b.Rows[i], out)
		default:
			s.copy(&b.Rows[i])
		}
	}
	rows, err := s.conn.Query(s.t.Context(), "SELECT n, coalesce(v::text, 'NULL') FROM got")
	if err != nil {
		s.t.Fatal(err)
	}
	var n int
	var text string
	if _, err := pgx.ForEachRow(rows, []any{&n, &text}, func() error { out[n] = text; return nil }); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// copy loads the rows, all of which Postgres has to take.
func (s *server) copy(rows *sinkd.Rows) {
	s.t.Helper()
	sql := fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)",
		pgx.Identifier{rows.Table.Schema, rows.Table.Name}.Sanitize(), strings.Join(rows.Columns, ", "))
	if _, err := s.conn.PgConn().CopyFrom(s.t.Context(), bytes.NewReader(rows.Buf), sql); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// stage loads the rows as text, and gives what INSERT makes of each.
func (s *server) stage(typ string, staged sinkd.Rows, out []string) {
	s.t.Helper()
	s.exec("DROP TABLE IF EXISTS staged; CREATE TABLE staged (n int, v text)")
	staged.Table = &sinkd.Table{Schema: "public", Name: "staged"}
	s.copy(&staged)
	rows, err := s.conn.Query(s.t.Context(), "SELECT n, v FROM staged")
	if err != nil {
		s.t.Fatal(err)
	}
	var at []int
	var texts []string
	var n int
	var text *string
	if _, err := pgx.ForEachRow(rows, []any{&n, &text}, func() error {
		if text == nil {
			out[n] = "NULL"
			return nil
		}
		at, texts = append(at, n), append(texts, *text)
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	for i, got := range s.inserted(typ, texts) {
		out[at[i]] = got
	}
}

func (s *server) domain(typ string) (is bool) {
	s.t.Helper()
	if err := s.conn.QueryRow(s.t.Context(), "SELECT typtype = 'd' FROM pg_type WHERE oid = $1::regtype", typ).Scan(&is); err != nil {
		s.t.Fatal(err)
	}
	return is
}

// trickle loads the rows of a type whose values Postgres alone can judge, an
// enum or a domain, one by one.
func (s *server) trickle(rows sinkd.Rows, out []string) {
	s.t.Helper()
	all, row := rows.Buf, rows.Row
	for i, r := range row {
		end := len(all) - len(sinkd.CopyTrailer)
		if i+1 < len(row) {
			end = row[i+1].Start
		}
		rows.Buf = slices.Concat([]byte(sinkd.CopyHeader), all[r.Start:end], []byte(sinkd.CopyTrailer))
		_, err := s.conn.PgConn().CopyFrom(s.t.Context(), bytes.NewReader(rows.Buf), "COPY got (n, v) FROM STDIN (FORMAT binary)")
		var refused *pgconn.PgError
		switch {
		case errors.As(err, &refused):
			out[r.Index] = "refused " + refused.Code
		case err != nil:
			s.t.Fatal(err)
		}
	}
}

// quoted gives texts as JSON strings.
func quoted(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		b, err := jsontext.AppendQuote(nil, text)
		if err != nil {
			panic(err)
		}
		out[i] = string(b)
	}
	return out
}

// agree compares what COPY made of values with what INSERT makes of texts.
func (s *server) agree(typ string, values, texts []string) {
	s.t.Helper()
	got, want := s.copied(typ, &sinkd.Route{}, values), s.inserted(typ, texts)
	for i := range values {
		if strings.HasPrefix(want[i], "refused") && strings.HasPrefix(got[i], "bad: ") {
			continue
		}
		if got[i] != want[i] {
			s.t.Errorf("%s: %.100s: COPY %.200q, INSERT %.200q", typ, values[i], got[i], want[i])
		}
	}
}
