package main

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd/integration/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }

// bookkeeping is as much of sinkd's tables as the proof reads.
const bookkeeping = `
CREATE SCHEMA sinkd;
CREATE TABLE sinkd.dead_letters (topic text, partition integer, record_offset bigint, value bytea);
CREATE TABLE sinkd.batches (batch_id integer, topic text, partition integer,
    from_offset bigint, until_offset bigint, records bigint);`

// right is what a right sinkd makes of what was sent.
const right = `
INSERT INTO public.earthquakes SELECT id, at, magnitude, place, kind, felt, coordinates, kafka_partition, kafka_offset FROM demo.expected;
INSERT INTO sinkd.dead_letters SELECT 'earthquakes', kafka_partition, kafka_offset, value FROM demo.sent WHERE broken IS NOT NULL;
INSERT INTO sinkd.batches SELECT 1, 'earthquakes', kafka_partition, kafka_offset, kafka_offset + 1, 1 FROM demo.sent;`

// TestProof shows that the proof fails for each way in which exactly once can
// be broken, and names it.
func TestProof(t *testing.T) {
	quakes, err := readWeek()
	if err != nil {
		t.Fatal(err)
	}
	records := breakSome(polls(quakes[:40]), 1)
	var log []sent
	for i, r := range records {
		log = append(log, sent{record: r, partition: int32(i % partitions), offset: int64(i / partitions)})
	}
	all := int64(len(log))
	const one = `(kafka_partition, kafka_offset) = (SELECT kafka_partition, kafka_offset FROM public.earthquakes LIMIT 1)`
	for _, test := range []struct {
		name, wrong string
		want        proof // Sent, Rows and Dead apart
	}{
		{name: "right"},
		{"lost row", `DELETE FROM public.earthquakes WHERE ` + one, proof{Lost: 1}},
		{"lost dead letter", `DELETE FROM sinkd.dead_letters WHERE ctid = (SELECT min(ctid) FROM sinkd.dead_letters)`, proof{Lost: 1}},
		{"doubled row", `INSERT INTO public.earthquakes SELECT * FROM public.earthquakes WHERE ` + one, proof{Doubled: 1}},
		{"row and dead letter", `INSERT INTO sinkd.dead_letters SELECT 'earthquakes', kafka_partition, kafka_offset, s.value
			FROM demo.sent s WHERE ` + one, proof{Doubled: 1, Changed: 1}},
		{"changed row", `UPDATE public.earthquakes SET magnitude = magnitude + 0.1 WHERE ` + one, proof{Changed: 1}},
		{"field set to NULL", `UPDATE public.earthquakes SET place = NULL WHERE ` + one, proof{Changed: 1}},
		{"changed dead letter", `UPDATE sinkd.dead_letters SET value = '' WHERE ctid = (SELECT min(ctid) FROM sinkd.dead_letters)`, proof{Changed: 1}},
		{"invented row", `UPDATE public.earthquakes SET kafka_offset = 1000000 WHERE ` + one, proof{Lost: 1, Changed: 1, Invented: 1}},
		{
			"broken record as a row", `
			INSERT INTO public.earthquakes SELECT '', now(), 0, '', '', 0, NULL, partition, record_offset FROM sinkd.dead_letters LIMIT 1;
			DELETE FROM sinkd.dead_letters d USING public.earthquakes WHERE (partition, record_offset) = (kafka_partition, kafka_offset)`,
			proof{Changed: 1},
		},
		{"gap in the ledger", `DELETE FROM sinkd.batches WHERE (partition, from_offset) = (1, 3)`, proof{Gaps: 1, Missing: 1}},
		{"overlap in the ledger", `UPDATE sinkd.batches SET until_offset = until_offset + 1 WHERE (partition, from_offset) = (1, 3)`, proof{Gaps: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, err := connect(t.Context(), lab.Database(t))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			execute(t, conn, schema+bookkeeping)
			if err := keepSent(t.Context(), conn, log); err != nil {
				t.Fatal(err)
			}
			execute(t, conn, right+test.wrong)
			got, err := prove(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			if got.Sent != all {
				t.Errorf("%d sent, want %d", got.Sent, all)
			}
			if holds := test.name == "right"; got.holds() != holds {
				t.Errorf("holds: %v, want %v", !holds, holds)
			}
			got.Sent, got.Rows, got.Dead, got.Ranges, got.Transactions = 0, 0, 0, 0, 0
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}
