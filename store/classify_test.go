package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sinkd/sinkd"
)

func TestClassify(t *testing.T) {
	state := func(code string) error {
		return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code, ConstraintName: "c"})
	}
	var tests []struct {
		err  error
		want sinkd.Class
	}
	add := func(want sinkd.Class, codes ...string) {
		for _, code := range codes {
			tests = append(tests, struct {
				err  error
				want sinkd.Class
			}{state(code), want})
		}
	}
	add(sinkd.Transient, "08006", "25006", "25P03", "25P04", "40001", "40P01", "53100", "53300", "53200", "55P03", "55006",
		"57014", "57P01", "57P02", "57P03", "57P05", "58030", "XX000", "XX001")
	add(sinkd.Data, "22001", "22003", "22P02", "23502", "23503", "23505", "23514", "23P01", "44000", "54000", "P0001", "P0004")
	add(sinkd.Schema, "42703", "42P01", "42501", "42809", "3F000", "0A000")
	add(sinkd.Configuration, "54001", "25001", "28000", "P0000", "F0000", "2F003", "57000", "39000", "3D000", "")
	for _, test := range tests {
		e := Classify(test.err)
		if e.Class != test.want || (e.Kind == sinkd.Refused) != (test.want == sinkd.Configuration) {
			t.Errorf("%v: %s, want %s", test.err, e.Class, test.want)
		}
	}
	for _, err := range []error{io.ErrUnexpectedEOF, context.DeadlineExceeded} {
		if e := Classify(err); e.Class != sinkd.Transient {
			t.Errorf("%v: %s", err, e.Class)
		}
	}
	for code, want := range map[string]bool{"23503": true, "23505": false, "40001": false} {
		if e := Classify(state(code)); e.Wait != want {
			t.Errorf("%s: waited for %v, want %v", code, e.Wait, want)
		}
	}
	if e := Classify(&own{error: state("23503")}); e.Wait {
		t.Error("a foreign key of a bookkeeping table is waited for")
	}
	if e := Classify(&pgconn.PgError{Code: "23514"}); e.Class != sinkd.Configuration {
		t.Errorf("no partition for the row: %s", e.Class)
	}
	if e := Classify(&own{error: state("23505"), hint: "h"}); e.Class != sinkd.Configuration || e.Hint != "h" {
		t.Errorf("a bookkeeping table: %+v", e)
	}
	if e := Classify(&own{error: state("40001")}); e.Class != sinkd.Transient {
		t.Errorf("a serialization failure of a bookkeeping table: %s", e.Class)
	}
	given := &sinkd.Error{Class: sinkd.Fenced}
	if Classify(fmt.Errorf("wrapped: %w", given)) != given || Classify(nil) != nil {
		t.Error("what is classified is not classified again")
	}
}

func TestNoRowDataInErrors(t *testing.T) {
	e := Classify(&pgconn.PgError{
		Code: "22P02", Message: `invalid input value for enum mood: "secret"`, Detail: "secret",
		Where: "PL/pgSQL function f(secret)\nCOPY t, line 2, column mood",
	})
	if strings.Contains(e.Error(), "secret") {
		t.Errorf("row data in %q", e)
	}
	if want := "column mood: invalid input value for enum mood (SQLSTATE 22P02)"; e.Error() != want {
		t.Errorf("got %q, want %q", e, want)
	}
	if _, ok := errors.AsType[*pgconn.PgError](e); !ok {
		t.Error("the cause is gone")
	}
}

func TestWithoutValues(t *testing.T) {
	for message, want := range map[string]string{
		`invalid input syntax for type integer: "a: "b" c"`:                               "invalid input syntax for type integer",
		`ungültige Eingabesyntax für Typ integer: »a«`:                                    "ungültige Eingabesyntax für Typ integer",
		`syntaxe en entrée invalide pour le type integer : « a »`:                         "syntaxe en entrée invalide pour le type integer",
		`value "a: 1" is out of range for type integer`:                                   "value ... is out of range for type integer",
		`date field value out of range: 2024-02-30`:                                       "date field value out of range",
		`invalid byte sequence for encoding "UTF8": 0xe4 0x66`:                            "invalid byte sequence for encoding ...",
		`character with byte sequence 0xe2 0x82 in encoding "A" has no equivalent in "B"`: "character with byte sequence ... in encoding ...",
		`value too long for type character varying(3)`:                                    "value too long for type character varying(3)",
		`division by zero`: "division by zero",
		`"`:                "...",
	} {
		if got := withoutValues(message); got != want {
			t.Errorf("%s: %q, want %q", message, got, want)
		}
	}
}

func TestRefusalNamesTheType(t *testing.T) {
	table := &sinkd.Table{Schema: "s", Name: "t", Columns: []sinkd.Column{{Name: "k", TypeName: "bigint"}, {Name: "mood", TypeName: "feeling"}}}
	for where, want := range map[string]string{
		"COPY t, line 2, column mood": "column mood (feeling): division by zero",
		"COPY t, line 2, column gone": "column gone: division by zero",
		"COPY t, line 2":              "division by zero",
		"PL/pgSQL function f()":       "table s.t: division by zero",
	} {
		if got := (&refusal{pg: &pgconn.PgError{Code: "22012", Message: "division by zero", Where: where}, table: table}).Error(); got != want {
			t.Errorf("%q: %q, want %q", where, got, want)
		}
	}
}

func TestCopyPlace(t *testing.T) {
	for where, want := range map[string]struct {
		line   int
		column string
	}{
		"":                                      {0, ""},
		"COPY t, line 2":                        {2, ""},
		"COPY t, line 12, column a b":           {12, "a b"},
		"COPY t, Zeile 3, Spalte j":             {3, "j"},
		"PL/pgSQL function f()\nCOPY t, line 4": {4, ""},
		"SQL statement \"x, line 9\"":           {0, ""},
	} {
		if line, column := copyPlace(where); line != want.line || column != want.column {
			t.Errorf("%q: %d %q", where, line, column)
		}
	}
}

func TestNamesLike(t *testing.T) {
	names := []string{"public.orders", "sales.order", "public.customers", "sales.Orders", "sales.ordersx"}
	if got := fmt.Sprint(namesLike(&sinkd.Table{Schema: "sales", Name: "orders"}, names)); got != "[sales.Orders public.orders sales.order]" {
		t.Error(got)
	}
}
