package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/integration/lab"
	"github.com/sinkd/sinkd/store"
	"github.com/sinkd/sinkd/transform"
)

// values are JSON values of all sorts, those of a line alike.
func values() [][]string {
	return [][]string{
		{`true`, `false`},
		{`0`, `-1`, `9223372036854775807`, `-9223372036854775808`, `-0`},
		{`1.5`, `1e3`, `123456789012345678901234567890.12345`, `1E-400`, `18446744073709551616`},
		{`""`, `"a"`, `"\u00e9\n\"'\\"`, `"x\u007f"`, `"null"`},
		{`"5f0c9ab1-4d1e-4c8e-9a0b-0123456789ab"`, `"5F0C9AB1-4D1E-4C8E-9A0B-0123456789AB"`},
		{`"2024-02-29"`, `"0001-01-01"`, `"9999-12-31"`, `"1900-02-28"`},
		{`"2024-02-29T23:59:60Z"`, `"2024-02-29 10:00"`, `"1969-12-31T23:59:59.999999999-11:30"`, `"0001-01-01T00:00:00Z"`, `"2024-06-30T24:00:00+02"`},
		{`"2024-02-30"`, `"2024-02-29T25:00:00Z"`, `"infinity"`},
		{`{}`, `{"a":{"b":[1,"x"]}}`, `{"":null,"a":1,"a":2}`},
		{`[]`, `[1,2]`, `[null,{"x":1e5}]`, `["2024-01-01"]`},
		{`1700000000`, `1700000000000`, `1700000000000000000`},
		{`1e999999`, `1e200000`},
	}
}

// drawTopic draws records whose fields are of one or two sorts, now and then
// null or absent.
func drawTopic(random *rand.Rand, topic string) []*sinkd.Record {
	all := values()
	fields := make([][]string, 1+random.IntN(8))
	for i := range fields {
		fields[i] = append(fields[i], all[random.IntN(len(all))]...)
		if random.IntN(4) == 0 {
			fields[i] = append(fields[i], all[random.IntN(len(all)-1)]...)
		}
		if random.IntN(3) == 0 {
			fields[i] = append(fields[i], "null", "")
		}
	}
	records := make([]*sinkd.Record, 120)
	for n := range records {
		members := []string{fmt.Sprintf(`"id":%d`, n)}
		for i, field := range fields {
			if v := field[random.IntN(len(field))]; v != "" {
				members = append(members, fmt.Sprintf(`"Field %d":%s`, i, v))
			}
		}
		random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		records[n] = &sinkd.Record{Topic: topic, Offset: int64(n), Key: fmt.Append(nil, n), Value: []byte("{" + strings.Join(members, ",") + "}")}
	}
	return records
}

// TestInferredTablesTakeTheirSample makes the tables that are proposed for
// random records, and lets the records in: none of them is refused.
func TestInferredTablesTakeTheirSample(t *testing.T) {
	t.Parallel()
	url := lab.Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	s, err := store.Open(store.Config{
		URL: func() (string, error) { return url, nil }, Schema: "sinkd", Pipeline: "p", Group: "g", Writer: "00000000", Lanes: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(t.Context()) })
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for n := range 60 {
		topic := fmt.Sprintf("topic_%d", n)
		r := &sinkd.Route{Topics: []string{topic}, Schema: "public", Name: topic, Mode: []sinkd.Mode{sinkd.Append, sinkd.Upsert}[n%2]}
		if err := roundTrip(t, conn, s, r, drawTopic(random, topic)); err != nil {
			t.Fatalf("seed %d, topic %d: %v", seed, n, err)
		}
	}
}

func roundTrip(t *testing.T, conn *pgx.Conn, s *store.Store, r *sinkd.Route, records []*sinkd.Record) error {
	t.Helper()
	p := transform.Infer(r, records)
	for i := range p.Columns {
		for _, note := range p.Columns[i].Notes {
			if strings.HasPrefix(note, "no type takes all values") {
				return nil
			}
		}
	}
	sql := store.ProposalSQL(r.Schema, r.Name, r.Mode, p)
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		return fmt.Errorf("%w\n%s", err, sql)
	}
	table, err := s.Table(t.Context(), r, r.Topics[0])
	if err != nil {
		return err
	}
	e := transform.NewEncoder(transform.Options{Routes: []*sinkd.Route{r}})
	if err := e.Supply(r.Topics[0], table); err != nil {
		return err
	}
	claim := &sinkd.Claim{Partition: sinkd.Partition{Topic: r.Topics[0]}}
	b := &sinkd.Batch{ID: uuid.New(), Ranges: []sinkd.Range{{Claim: claim, Until: int64(len(records)), Records: sinkd.RecordsOf(records...)}}}
	if needs := e.Encode(b); needs != nil {
		return fmt.Errorf("needs %+v", needs)
	}
	if len(b.Dead) != p.Bad {
		return fmt.Errorf("%d dead letters in place of %d, the first one: %s\n%s\n%s", len(b.Dead), p.Bad, b.Dead[0].Reason, b.Dead[0].Record.Value, sql)
	}
	for i := range b.Rows {
		rows := &b.Rows[i]
		columns := pgx.Identifier.Sanitize
		var names []string
		for _, c := range rows.Columns {
			names = append(names, columns(pgx.Identifier{c}))
		}
		copying := "COPY " + columns(pgx.Identifier{r.Name}) + " (" + strings.Join(names, ",") + ") FROM STDIN (FORMAT binary)"
		if _, err := conn.PgConn().CopyFrom(t.Context(), bytes.NewReader(rows.Buf), copying); err != nil {
			return fmt.Errorf("%w\n%s", err, sql)
		}
	}
	return nil
}
