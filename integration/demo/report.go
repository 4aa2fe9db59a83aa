package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
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
	open := "no transaction was open"
	switch {
	case k.open == 1:
		open = "its open transaction was rolled back"
	case k.open > 1:
		open = fmt.Sprintf("its %d open transactions were rolled back", k.open)
	}
	r.step("kill -9 no. %d, pid %d: %s of %s records are rows; %s", n, k.pid, thousands(k.rows), thousands(int64(sent)), open)
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
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for _, result := range results {
		var names [][]byte
		for _, field := range result.FieldDescriptions {
			names = append(names, []byte(field.Name))
		}
		for _, row := range append([][][]byte{names}, result.Rows...) {
			line := strings.TrimRight("  "+string(bytes.Join(row, []byte("\t"))), "\t")
			_, _ = fmt.Fprintln(w, line)
		}
	}
	return w.Flush()
}
