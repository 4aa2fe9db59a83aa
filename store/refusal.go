package store

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// refusal is what Postgres said, without row data: DETAIL and CONTEXT hold it
// and are left out, as is the value that messages of class 22 quote at their
// end.
type refusal struct{ pg *pgconn.PgError }

// Error gives the column, where COPY names one, and the message.
func (r *refusal) Error() string {
	text := r.pg.Message
	if strings.HasPrefix(r.pg.Code, "22") {
		text, _, _ = strings.Cut(text, `: "`)
	}
	if _, column := copyPlace(r.pg.Where); column != "" {
		text = "column " + column + ": " + text
	}
	return text
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
