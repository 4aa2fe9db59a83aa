package store

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

// refusal is what Postgres said, without row data: DETAIL and CONTEXT hold it
// and are left out, as are the values in messages of class 22. What a function
// raises (P0001) are its author's words and stays; under another code it is not
// told from Postgres's own by those who write logs, and is left out.
type refusal struct {
	pg *pgconn.PgError
	// table is the one that the rows were for, nil if there were none.
	table *sinkd.Table
	// column is the one that was found out, where Postgres names none.
	column string
}

// Error gives the column and its type, where COPY names one, and the message.
func (r *refusal) Error() string {
	text := r.pg.Message
	if r.pg.Routine == raising && !strings.HasPrefix(r.pg.Code, raised) {
		text = "a function or a trigger raises this, in words that are in PostgreSQL's log"
	}
	if strings.HasPrefix(r.pg.Code, "22") {
		text = withoutValues(text)
	}
	line, column := copyPlace(r.pg.Where)
	if column == "" {
		column = r.column
	}
	switch {
	case column != "":
		text = "column " + column + r.typeOf(column) + ": " + text
	case r.table != nil && (line == 0 || !ofRow(r.pg.Code)) && r.pg.TableName == "" && !strings.HasPrefix(r.pg.Code, raised):
		text = "table " + r.table.String() + ": " + text
	}
	return text
}

// ofRow tells of refusals that are about the row that COPY names.
func ofRow(code string) bool {
	return strings.HasPrefix(code, "22") || strings.HasPrefix(code, "23") || strings.HasPrefix(code, "44")
}

// raising is the routine of the server that PL/pgSQL's RAISE is.
const raising = "exec_stmt_raise"

// typeOf gives a column's type in brackets, empty where it is not known.
func (r *refusal) typeOf(column string) string {
	if r.table == nil {
		return ""
	}
	for i := range r.table.Columns {
		if c := &r.table.Columns[i]; c.Name == column {
			return " (" + c.TypeName + ")"
		}
	}
	return ""
}

// quotes are what servers of all languages put around a value.
const quotes = "\"„“”«»‹›「」『』"

// bytesRE are the bytes of text in the wrong encoding.
var bytesRE = regexp.MustCompile(`0x[0-9a-f]{2}( 0x[0-9a-f]{2})*`)

// withoutValues takes what may come from a row out of a message of class 22:
// what is quoted, from the first mark to the last because a value may hold some
// itself, bytes, and whatever follows a colon.
func withoutValues(text string) string {
	if first := strings.IndexAny(text, quotes); first >= 0 {
		last := strings.LastIndexAny(text, quotes)
		_, size := utf8.DecodeRuneInString(text[last:])
		text = text[:first] + "..." + text[last+size:]
	}
	text, _, _ = strings.Cut(bytesRE.ReplaceAllString(text, "..."), ": ")
	return strings.TrimRight(text, " ")
}

// Unwrap gives Postgres's error, row data included.
func (r *refusal) Unwrap() error { return r.pg }

// copyPlace finds the row, counted from 1, and the column that a binary COPY
// names in an error's CONTEXT: "COPY t, line 2, column j", the last line where
// functions were called on the way. The word for line is the server's
// language's. 0 and "" where there is none.
func copyPlace(where string) (line int, column string) {
	last := where[strings.LastIndexByte(where, '\n')+1:]
	if !strings.HasPrefix(last, "COPY ") {
		return 0, ""
	}
	for part := range strings.SplitSeq(last, ", ") {
		word, rest, ok := strings.Cut(part, " ")
		if !ok || word == "COPY" {
			continue
		}
		if n, err := strconv.Atoi(rest); err == nil && line == 0 {
			line = n
		} else if line != 0 && column == "" {
			column = rest
		}
	}
	return line, column
}
