-- One transaction, safe to repeat: what is there already is left alone.
-- Names are unqualified: search_path is SINKD_SCHEMA alone.

-- The oldest binary that may use this schema, by the schema version it knows.
CREATE TABLE IF NOT EXISTS compatibility (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    min_schema  bigint NOT NULL,
    min_binary  text NOT NULL
);
INSERT INTO compatibility (min_schema, min_binary) VALUES (1, '0.1.0') ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS pipelines (
    pipeline    text COLLATE "C" PRIMARY KEY,
    cluster_id  text NOT NULL,
    kafka_group text NOT NULL,
    paused      boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- when the first start was completed; NULL until then
    started_at  timestamptz
);

CREATE TABLE IF NOT EXISTS topics (
    pipeline    text COLLATE "C" NOT NULL,
    topic       text COLLATE "C" NOT NULL,
    topic_id    uuid NOT NULL,
    cluster_id  text NOT NULL,
    partitions  integer NOT NULL,
    pinned_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline, topic)
);

-- The hot row, and nothing else in it. Every commit writes a new version of
-- it: the low fillfactor keeps those on the page (HOT), and vacuum comes early.
CREATE TABLE IF NOT EXISTS offsets (
    pipeline     text COLLATE "C" NOT NULL,
    topic        text COLLATE "C" NOT NULL,
    partition    integer NOT NULL,
    next_offset  bigint NOT NULL,
    claim        uuid NOT NULL DEFAULT gen_random_uuid(),
    leader_epoch integer NOT NULL DEFAULT -1,
    generation   bigint NOT NULL DEFAULT 1,
    halted       text,
    PRIMARY KEY (pipeline, topic, partition)
) WITH (
    fillfactor = 20,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 1,
    autovacuum_analyze_threshold = 1000
);

-- What replicas saw of a partition, and what an operator wants of it.
CREATE TABLE IF NOT EXISTS partitions (
    pipeline       text COLLATE "C" NOT NULL,
    topic          text COLLATE "C" NOT NULL,
    partition      integer NOT NULL,
    -- where the ledger of the current generation begins
    start_offset   bigint,
    log_start      bigint,
    end_offset     bigint,
    high_watermark bigint,
    -- the age of the oldest record that was not written then, 0 for none
    lag_seconds    double precision,
    observed_at    timestamptz,
    writer         text,
    -- since when writer is the one that reports
    claimed_at     timestamptz,
    paused         boolean NOT NULL DEFAULT false,
    released_at    timestamptz,
    PRIMARY KEY (pipeline, topic, partition)
) WITH (fillfactor = 50);

-- The ledger: what was committed, range by range.
CREATE TABLE IF NOT EXISTS batches (
    batch_id        uuid NOT NULL,
    pipeline        text COLLATE "C" NOT NULL,
    topic           text COLLATE "C" NOT NULL,
    partition       integer NOT NULL,
    generation      bigint NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('batch', 'skip', 'merged')),
    from_offset     bigint NOT NULL,
    until_offset    bigint NOT NULL,
    records         bigint NOT NULL,
    rows            bigint NOT NULL,
    skipped         bigint NOT NULL,
    dead            bigint NOT NULL,
    bytes           bigint NOT NULL,
    first_timestamp timestamptz,
    last_timestamp  timestamptz,
    started_at      timestamptz NOT NULL,
    committed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    writer          text NOT NULL,
    PRIMARY KEY (pipeline, topic, partition, generation, from_offset),
    CHECK (until_offset > from_offset),
    CHECK (records = rows + skipped + dead)
);
CREATE INDEX IF NOT EXISTS batches_committed_at ON batches (pipeline, committed_at);

CREATE TABLE IF NOT EXISTS dead_letters (
    pipeline         text COLLATE "C" NOT NULL,
    topic            text COLLATE "C" NOT NULL,
    partition        integer NOT NULL,
    record_offset    bigint NOT NULL,
    record_timestamp timestamptz,
    key              bytea,
    value            bytea,
    -- [["name", "text" | "base64:..." | null], ...]
    headers          jsonb NOT NULL DEFAULT '[]',
    schema_id        integer,
    stage            text NOT NULL,
    reason           text NOT NULL,
    sqlstate         text,
    failed_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pipeline, topic, partition, record_offset)
);
CREATE INDEX IF NOT EXISTS dead_letters_failed_at ON dead_letters (pipeline, failed_at);

CREATE TABLE IF NOT EXISTS incidents (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline     text COLLATE "C" NOT NULL,
    -- NULL: the whole pipeline, the whole topic
    topic        text COLLATE "C",
    partition    integer,
    kind         text NOT NULL,
    detail       text NOT NULL,
    writer       text,
    opened_at    timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    seen         bigint NOT NULL DEFAULT 1,
    acked_at     timestamptz,
    acked_by     text
);
CREATE UNIQUE INDEX IF NOT EXISTS incidents_open
    ON incidents (pipeline, coalesce(topic, ''), coalesce(partition, -1), kind) WHERE acked_at IS NULL;

CREATE TABLE IF NOT EXISTS schema_changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline   text COLLATE "C" NOT NULL,
    topic      text COLLATE "C",
    table_name text NOT NULL,
    action     text NOT NULL,
    statement  text NOT NULL,
    writer     text,
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Who did what, when, why.
CREATE TABLE IF NOT EXISTS operations (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline     text COLLATE "C" NOT NULL,
    topic        text COLLATE "C",
    partition    integer,
    operation    text NOT NULL,
    detail       text NOT NULL,
    reason       text,
    operator     text NOT NULL,
    performed_at timestamptz NOT NULL DEFAULT now()
);

-- Replicas observe every 10 s; where none has for three times that, nobody
-- writes, and what waits grows older.
CREATE OR REPLACE VIEW lag AS
SELECT o.pipeline, o.topic, o.partition, o.next_offset, p.log_start, p.end_offset,
       p.end_offset - least(p.end_offset, o.next_offset) AS records,
       CASE WHEN p.end_offset <= o.next_offset THEN 0
            WHEN p.observed_at > now() - interval '30 s' THEN p.lag_seconds
            ELSE p.lag_seconds + extract(epoch FROM now() - p.observed_at)::float8 END AS seconds,
       p.observed_at, p.writer
  FROM offsets o
  LEFT JOIN partitions p USING (pipeline, topic, partition);

CREATE OR REPLACE VIEW status AS
SELECT l.pipeline,
       CASE WHEN l.paused THEN 'paused' WHEN o.halted > 0 THEN 'halted'
            WHEN EXISTS (SELECT FROM partitions p
                          WHERE p.pipeline = l.pipeline AND p.observed_at > now() - interval '30 s'
                            AND NOT coalesce(p.released_at > p.claimed_at, false)) THEN 'running'
            ELSE 'stopped' END AS state,
       l.cluster_id, l.kafka_group,
       coalesce(o.partitions, 0) AS partitions, coalesce(o.halted, 0) AS halted,
       (SELECT sum(g.records) FROM lag g WHERE g.pipeline = l.pipeline) AS lag_records,
       (SELECT max(g.seconds) FROM lag g WHERE g.pipeline = l.pipeline) AS lag_seconds,
       (SELECT max(b.committed_at) FROM batches b WHERE b.pipeline = l.pipeline) AS last_commit_at,
       (SELECT count(*) FROM dead_letters d WHERE d.pipeline = l.pipeline) AS dead_letters,
       (SELECT count(*) FROM incidents i WHERE i.pipeline = l.pipeline AND i.acked_at IS NULL) AS incidents
  FROM pipelines l
  LEFT JOIN (SELECT pipeline, count(*) AS partitions, count(halted) AS halted FROM offsets GROUP BY pipeline) o
 USING (pipeline);
