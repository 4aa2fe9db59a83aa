package main

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// schema is what the demo makes in the database.
//
// The table has no unique key: a doubled row would land, and be counted. The
// views compare what landed with what was sent, by coordinates and by content;
// they take the records apart by SQL, not by sinkd's way.
const schema = `
CREATE TABLE public.earthquakes (
    id              text NOT NULL,
    at              timestamptz NOT NULL,
    magnitude       numeric CHECK (magnitude < 11),
    place           text,
    kind            text,
    felt            integer,
    coordinates     jsonb,
    kafka_partition integer NOT NULL,
    kafka_offset    bigint NOT NULL
);
CREATE SCHEMA demo;
CREATE TABLE demo.sent (
    kafka_partition integer,
    kafka_offset    bigint,
    broken          text,
    value           bytea NOT NULL,
    PRIMARY KEY (kafka_partition, kafka_offset)
);`

// views need sinkd's tables, which sinkd makes.
const views = `
CREATE VIEW demo.landed AS
SELECT kafka_partition, kafka_offset, false AS dead FROM public.earthquakes
UNION ALL
SELECT partition, record_offset, true FROM sinkd.dead_letters WHERE topic = 'earthquakes';

CREATE VIEW demo.expected AS
SELECT kafka_partition, kafka_offset, v ->> 'id' AS id,
       timestamptz 'epoch' + (v #>> '{properties,time}')::bigint * interval '1 millisecond' AS at,
       (v #>> '{properties,mag}')::numeric AS magnitude, v #>> '{properties,place}' AS place,
       v #>> '{properties,type}' AS kind, (v #>> '{properties,felt}')::integer AS felt,
       v #> '{geometry,coordinates}' AS coordinates
  FROM demo.sent, LATERAL (SELECT CASE WHEN broken IS NULL THEN convert_from(value, 'UTF8')::jsonb END) AS record (v)
 WHERE broken IS NULL;

-- Sent, but nowhere.
CREATE VIEW demo.lost AS
SELECT kafka_partition, kafka_offset FROM demo.sent EXCEPT SELECT kafka_partition, kafka_offset FROM demo.landed;

-- More than once in the table, or in the table and among the dead letters.
CREATE VIEW demo.doubled AS
SELECT kafka_partition, kafka_offset, count(*) AS times FROM demo.landed GROUP BY 1, 2 HAVING count(*) > 1;

-- Landed, but never sent.
CREATE VIEW demo.invented AS
SELECT kafka_partition, kafka_offset FROM demo.landed EXCEPT SELECT kafka_partition, kafka_offset FROM demo.sent;

-- Landed with another content than was sent: a row that differs, a dead letter
-- that differs, a broken record that became a row, a sound one that is dead.
CREATE VIEW demo.changed AS
SELECT t.kafka_partition, t.kafka_offset
  FROM public.earthquakes t LEFT JOIN demo.expected e USING (kafka_partition, kafka_offset)
 WHERE (t.id, t.at, t.magnitude, t.place, t.kind, t.felt, t.coordinates)
       IS DISTINCT FROM (e.id, e.at, e.magnitude, e.place, e.kind, e.felt, e.coordinates)
UNION ALL
SELECT s.kafka_partition, s.kafka_offset
  FROM sinkd.dead_letters d JOIN demo.sent s ON (d.partition, d.record_offset) = (s.kafka_partition, s.kafka_offset)
 WHERE d.topic = 'earthquakes' AND (s.broken IS NULL OR d.value IS DISTINCT FROM s.value);

-- Where a range of the ledger does not begin where the one before it ended.
CREATE VIEW demo.gaps AS
SELECT partition, from_offset, ended
  FROM (SELECT partition, from_offset,
               lag(until_offset, 1, 0::bigint) OVER (PARTITION BY partition ORDER BY from_offset) AS ended
          FROM sinkd.batches WHERE topic = 'earthquakes') AS ranges
 WHERE from_offset <> ended;`

// keepSent writes down what was sent, beside what landed, and makes the views
// that compare the two.
func keepSent(ctx context.Context, conn *pgx.Conn, log []sent) error {
	next := 0
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"demo", "sent"},
		[]string{"kafka_partition", "kafka_offset", "broken", "value"},
		pgx.CopyFromFunc(func() ([]any, error) {
			if next == len(log) {
				return nil, nil
			}
			s := log[next]
			next++
			var broken *string
			if s.broken != "" {
				broken = &s.broken
			}
			return []any{s.partition, s.offset, broken, s.value}, nil
		}))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, views)
	return err
}

// connect opens the demo's own connection.
func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] = "demo"
	config.RuntimeParams["timezone"] = "UTC"
	return pgx.ConnectConfig(ctx, config)
}
