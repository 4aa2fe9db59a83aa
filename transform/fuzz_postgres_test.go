package transform

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
)

// wantSQL makes a function that puts one text after the other into the columns
// of a row, as INSERT of a literal does, and gives what is read back of it.
const wantSQL = `
CREATE FUNCTION want_texts(texts text[], columns text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    out text;
BEGIN
    FOR n IN 1 .. array_length(texts, 1) LOOP
        BEGIN
            EXECUTE format('INSERT INTO want (%I) VALUES (%L) RETURNING %1$I::text', columns[n], texts[n]) INTO out;
            RETURN NEXT out;
        EXCEPTION WHEN others THEN
            RETURN NEXT 'refused';
        END;
    END LOOP;
END $$`

// wideTable is a table with a column for each of everyType that has an
// encoder, all of which take the field v, and the plan for it.
type wideTable struct {
	server
	plan    *plan
	columns []string
}

// FuzzPostgres gives one value to a column of each type, and the bytes of those
// that take it to Postgres: COPY refuses none of them, and what is read back is
// what INSERT of the value's text makes.
func FuzzPostgres(f *testing.F) {
	for _, v := range seedValues {
		f.Add([]byte(v))
	}
	w := newWideTable(f)
	f.Fuzz(func(t *testing.T, value []byte) {
		rec := &sinkd.Record{Value: fmt.Appendf(nil, `{"v":%s}`, value)}
		if w.plan.read(rec) != nil {
			return
		}
		one := *w
		one.t = t
		one.compare()
	})
}

func newWideTable(f *testing.F) *wideTable {
	f.Helper()
	w := &wideTable{server: *newServer(f)}
	var definitions []string
	for i, typ := range everyType {
		w.columns = append(w.columns, fmt.Sprint("c", i))
		definitions = append(definitions, w.columns[i]+" "+typ)
	}
	w.exec("CREATE TABLE got (" + strings.Join(definitions, ", ") + "); CREATE TABLE want (LIKE got)")
	w.exec(wantSQL)
	r := &sinkd.Route{Topics: []string{"topic"}}
	for _, name := range w.columns {
		r.Columns = append(r.Columns, sinkd.Mapping{Column: name, Source: "v"})
	}
	e := NewEncoder(Options{Routes: []*sinkd.Route{r}})
	if err := e.Supply("topic", w.described()); err != nil {
		f.Fatal(err)
	}
	w.plan = e.plans["topic"]
	return w
}

// compare loads what the columns' encoders make of the value that was read.
func (w *wideTable) compare() {
	w.t.Helper()
	buf := binary.BigEndian.AppendUint16([]byte(sinkd.CopyHeader), uint16(len(w.plan.columns)))
	var texts, taken []string
	for i := range w.plan.columns {
		c := &w.plan.columns[i]
		v := &w.plan.cells[c.cell]
		var field []byte
		var err error
		if v.Kind > Null && !c.text {
			field, err = c.put(nil, v)
		}
		if v.Kind <= Null || c.text || err != nil {
			buf = append(buf, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		buf = append(binary.BigEndian.AppendUint32(buf, uint32(len(field))), field...)
		if text, ok := textOfValue(everyType[i], v); ok {
			texts, taken = append(texts, text), append(taken, c.name)
		}
	}
	w.exec("BEGIN")
	defer w.exec("ROLLBACK")
	if _, err := w.conn.PgConn().CopyFrom(w.t.Context(), bytes.NewReader(append(buf, sinkd.CopyTrailer...)), "COPY got FROM STDIN (FORMAT binary)"); err != nil {
		w.t.Fatal(err)
	}
	if len(texts) > 0 {
		w.same(texts, taken)
	}
}

// same compares the row that was loaded with what INSERT makes of the texts.
func (w *wideTable) same(texts, columns []string) {
	w.t.Helper()
	rows, err := w.conn.Query(w.t.Context(), "SELECT * FROM want_texts($1, $2)", texts, columns)
	if err != nil {
		w.t.Fatal(err)
	}
	want, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	rows, err = w.conn.Query(w.t.Context(), "SELECT "+strings.Join(columns, "::text, ")+"::text FROM got")
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := pgx.CollectOneRow(rows, func(row pgx.CollectableRow) ([]string, error) {
		out := make([]string, len(columns))
		to := make([]any, len(columns))
		for i := range out {
			to[i] = &out[i]
		}
		return out, row.Scan(to...)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range got {
		if got[i] != want[i] {
			w.t.Errorf("%s: COPY %q, INSERT %q", columns[i], got[i], want[i])
		}
	}
}

// finer is what times lose, and where Postgres's intervals are not exact.
var finer = regexp.MustCompile(`\.\d{7}|^P.*\.|\.\d+ ?[dDwW]`)

// dated is what may be a time with a date, of which Postgres reads fewer.
var dated = regexp.MustCompile(`\d[Tt\s]|\d-\d+-|/`)

// hollow is an array in an array that may be without elements, which Postgres
// takes or refuses by its version and by the space in it.
var hollow = regexp.MustCompile(`\[\s*\]`)

// textOfValue gives the text of which INSERT has to make the same, if it has to:
// the differences that docs/mapping.md has are left out.
func textOfValue(typ string, v *Value) (text string, ok bool) {
	text = string(v.Bytes)
	typ, array := strings.CutSuffix(typ, "[]")
	typ, _, _ = strings.Cut(typ, "(")
	switch {
	case array:
		if typ == "text" && v.Kind == Array && !hollow.MatchString(text) {
			return literal(json.RawMessage(text), ","), true
		}
		return "", false
	case v.Kind == Number:
		return text, typ == "numeric" || typ == "real" || typ == "double precision" || typ == "text" || typ == "jsonb"
	case v.Kind != String:
		return "", false
	}
	switch typ {
	case "json", "jsonb", "bytea", "timestamp":
		return "", false
	case "time", "timetz":
		return text, !finer.MatchString(text) && !dated.MatchString(text)
	case "timestamptz":
		return text, !finer.MatchString(text)
	case "interval", "interval day to minute":
		return text, !finer.MatchString(text)
	}
	return text, true
}
