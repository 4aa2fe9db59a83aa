package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// report prints for a person who sees this for the first time.
type report struct {
	out   io.Writer
	begin time.Time
}

func (r *report) printf(format string, args ...any) { _, _ = fmt.Fprintf(r.out, format, args...) }

func (r *report) title(text string) { r.printf("%s\n\n", text) }

// step prints a line with the time since the start.
func (r *report) step(format string, args ...any) {
	r.printf("%5.1f s  %s\n", time.Since(r.begin).Seconds(), fmt.Sprintf(format, args...))
}

func (r *report) data(quakes int, records []record) {
	broken := 0
	for _, record := range records {
		if record.broken != "" {
			broken++
		}
	}
	r.printf("Data: %s earthquakes, a week of the USGS feed (GeoJSON, public domain). Its reader reads the\n"+
		"past day every six hours, so each is sent four times; %d broken records are put between:\n"+
		"%s records.\n\n", thousands(int64(quakes)), broken, thousands(int64(len(records))))
}

func (r *report) killed(n int, k killing, sent int) {
	moment := "between two transactions"
	switch {
	case k.aborted == 1:
		moment = "in the middle of a transaction"
	case k.aborted > 1:
		moment = fmt.Sprintf("in the middle of %d transactions", k.aborted)
	case k.committed > 0:
		moment = "with a COMMIT on its way"
	}
	r.step("kill %d: -9 to pid %d, %s; %s of %s sent are rows", n, k.pid, moment, thousands(k.rows), thousands(int64(sent)))
}

// thousands groups digits: 1707 is 1,707.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// table prints what a query gives, in columns below their names. Postgres has
// made the text of each value.
func (r *report) table(ctx context.Context, conn *pgx.Conn, title, sql string) error {
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return err
	}
	r.printf("\n%s\n\n", title)
	for _, result := range results {
		lines := texts(result)
		for _, line := range lines {
			var text strings.Builder
			for i, cell := range line {
				width := 0
				for _, other := range lines {
					width = max(width, utf8.RuneCountInString(other[i]))
				}
				if !isNumber(result.FieldDescriptions[i].DataTypeOID) {
					width = -width // to the left
				}
				fmt.Fprintf(&text, "  %*s", width, cell)
			}
			r.printf("%s\n", strings.TrimRight(text.String(), " "))
		}
	}
	return nil
}

// texts gives the names of the columns and the cells below them; NULL is a
// dash.
func texts(result *pgconn.Result) [][]string {
	var names []string
	for _, field := range result.FieldDescriptions {
		names = append(names, field.Name)
	}
	lines := [][]string{names}
	for _, row := range result.Rows {
		var line []string
		for _, cell := range row {
			if cell == nil {
				cell = []byte("-")
			}
			line = append(line, string(cell))
		}
		lines = append(lines, line)
	}
	return lines
}

// isNumber tells whether the type is one of those whose digits are compared by
// eye.
func isNumber(oid uint32) bool {
	switch oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.NumericOID:
		return true
	}
	return false
}
