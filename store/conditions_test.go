package store_test

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sinkd/sinkd"
	"github.com/sinkd/sinkd/store"
)

// The rows of the error table, in its order: the first that matches counts.
const (
	fencedRow = iota
	changedRow
	transientRow
	smallerRow
	ownRow
	waitRow
	dataRow
	schemaRow
	otherRow
)

// errorTable is the error table of docs/errors.md.
var errorTable = []struct{ condition, class string }{
	fencedRow:    {"fewer position rows moved than the batch has ranges", "fenced"},
	changedRow:   {"the table is no longer what it was when it was read, whatever Postgres makes of the rows: it takes them, or refuses them with 22, 23, 44, 54000, P0001 to P0004, 08P01, 55000 or XX000", "schema"},
	transientRow: {"any error while connecting, 28 and 3D included; a lost connection; 08, 25006, 25P03, 25P04, 40, 53, 55, 57P0x, 58, XX", "transient"},
	smallerRow:   {"57014, 53200", "transient, in smaller batches"},
	ownRow:       {"any other error of a table in `SINKD_SCHEMA`; 23514 without the name of a constraint (no partition for the row)", "configuration"},
	waitRow:      {"23503 (a row is missing that a foreign key refers to)", "data, after `SINKD_FOREIGN_KEY_WAIT`"},
	dataRow:      {"22, 23, 44, 54000, P0001 to P0004", "data"},
	schemaRow:    {"42, 3F, 0A", "schema"},
	otherRow:     {"anything else", "configuration"},
}

// condition is a way in which a server refuses a batch for a table "target",
// whose record with a=secret, or 7777, is the one that it refuses, if any is.
type condition struct {
	row  int
	name string
	// state is the SQLSTATE, "" where Postgres did not say; several after |.
	state string
	// ddl makes the table, (k bigint PRIMARY KEY, a text) where it is empty;
	// refuse is the body of a trigger for the refused record.
	ddl, refuse string
	log         string // "" = a good record and one with a=secret
	text        []string
	// only is the mode that meets the condition, "" = both.
	only sinkd.Mode
	// named and stagedNamed tell that Postgres names the record, in direct COPY
	// and on the staged way.
	named, stagedNamed bool
	// says is in the error's text, hint in its hint.
	says, hint string
	// options are those of a store of the condition's own; role makes one for a
	// role with the rights that it needs.
	options func(*store.Config)
	role    bool
	// before is done when the batch is built; then the same batch lands after
	// mend, unless anew tells that the table has to be read again, and the
	// good records alone where the record is to blame.
	before func(*provocation)
	mend   string
	anew   bool
}

// raise is the body of a trigger that raises an error with the row in its text.
func raise(state string) string {
	return `RAISE EXCEPTION USING ERRCODE = '` + state + `', MESSAGE = NEW.a, DETAIL = NEW.a, HINT = NEW.a`
}

func sql(text string) func(*provocation) { return func(p *provocation) { p.exec(text) } }

var conditions = []condition{
	{
		row: fencedRow, name: "another writer has the partition",
		before: func(p *provocation) { p.claim(p.open()) },
	},
	{
		row: changedRow, name: "column added that is required", before: sql(`ALTER TABLE target ADD b int NOT NULL`),
		mend: `ALTER TABLE target DROP b`, anew: true,
	},
	{row: changedRow, name: "type changed", before: sql(`ALTER TABLE target ALTER a TYPE json USING NULL`), mend: `ALTER TABLE target ALTER a TYPE text`, anew: true},
	{row: changedRow, name: "table dropped and made again", before: sql(`DROP TABLE target; CREATE TABLE target (k bigint PRIMARY KEY, a text)`), mend: `SELECT`, anew: true},
	{
		row: changedRow, name: "a view in the table's place that takes no rows", only: sinkd.Upsert, anew: true,
		before: sql(`ALTER TABLE target RENAME TO base; CREATE VIEW target AS SELECT DISTINCT * FROM base`),
		mend:   `DROP VIEW target; ALTER TABLE base RENAME TO target`,
	},
	{row: transientRow, name: "connection exception", state: "08006", refuse: raise("08006")},
	{row: transientRow, name: "the server has become read-only", state: "25006", refuse: `PERFORM set_config('transaction_read_only', 'on', true)`},
	{row: transientRow, name: "idle transaction ended by the server", state: "25P03", refuse: raise("25P03")},
	{row: transientRow, name: "transaction timeout", state: "25P04", refuse: raise("25P04")},
	{row: transientRow, name: "serialization failure", state: "40001", refuse: raise("40001")},
	{row: transientRow, name: "deadlock", state: "40P01", refuse: crossing, before: crossed},
	{row: transientRow, name: "disk full", state: "53100", refuse: raise("53100")},
	{row: transientRow, name: "too many connections", state: "53300", role: true, before: func(p *provocation) {
		p.exec(`ALTER ROLE ` + p.name + ` CONNECTION LIMIT 0`)
		p.renewed()
	}},
	{
		row: transientRow, name: "`temp_file_limit` exceeded", state: "53400", refuse: `PERFORM set_config('temp_file_limit', '64', true),
			set_config('work_mem', '64', true); PERFORM count(*) FROM (SELECT FROM generate_series(1, 100000) g ORDER BY -g) x`,
	},
	{
		row: transientRow, name: "lock timeout", state: "55P03", before: locked,
		options: func(c *store.Config) { c.LockTimeout = 50 * time.Millisecond },
	},
	{row: transientRow, name: "session ended by an administrator", state: "57P01|", refuse: `PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10)`},
	{row: transientRow, name: "crash of the server", state: "57P02", refuse: raise("57P02")},
	{row: transientRow, name: "server starting up or shutting down", state: "57P03", refuse: raise("57P03")},
	{row: transientRow, name: "I/O error", state: "58030", refuse: raise("58030")},
	{row: transientRow, name: "internal error", state: "XX000", refuse: raise("XX000")},
	{row: transientRow, name: "wrong password", state: "28P01", before: func(p *provocation) { p.elsewhere("postgres:wrong@", "") }},
	{row: transientRow, name: "the database does not exist", state: "3D000", before: func(p *provocation) { p.elsewhere("", "no_such_database") }},
	{row: transientRow, name: "connection lost", before: func(p *provocation) { p.cut() }},
	{
		row: smallerRow, name: "statement timeout", state: "57014", refuse: `PERFORM pg_sleep(10)`, hint: "SINKD_STATEMENT_TIMEOUT",
		options: func(c *store.Config) { c.StatementTimeout = 200 * time.Millisecond },
	},
	{row: smallerRow, name: "statement canceled by a person", state: "57014", refuse: `PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(10)`, hint: "SINKD_STATEMENT_TIMEOUT"},
	{row: smallerRow, name: "out of memory", state: "53200", refuse: raise("53200"), hint: "memory"},
	{
		row: ownRow, name: "a table of `SINKD_SCHEMA` is gone", state: "42P01", hint: "sinkd migrate up",
		before: sql(`ALTER TABLE sinkd.batches RENAME TO gone`), mend: `ALTER TABLE sinkd.gone RENAME TO batches`,
	},
	{
		row: ownRow, name: "a table of `SINKD_SCHEMA` was changed", state: "23514",
		before: sql(`ALTER TABLE sinkd.batches ADD CONSTRAINT foreign_check CHECK (writer IS NULL) NOT VALID`),
		mend:   `ALTER TABLE sinkd.batches DROP CONSTRAINT foreign_check`,
	},
	{
		row: ownRow, name: "a right on a table of `SINKD_SCHEMA` was taken", state: "42501", role: true, hint: "GRANT USAGE ON SCHEMA",
		before: func(p *provocation) { p.exec(`REVOKE INSERT ON sinkd.batches FROM ` + p.name) },
	},
	{
		row: ownRow, name: "a trigger of a user's table fails at `SINKD_SCHEMA`", state: "23502", refuse: `INSERT INTO sinkd.topics VALUES (NULL)`, named: true,
	},
	{
		row: ownRow, name: "no partition for the row", state: "23514", hint: "DEFAULT partition", log: "0 w k=1 a=x; 0 w k=7777 a=x",
		ddl:  `CREATE TABLE target (k bigint PRIMARY KEY, a text) PARTITION BY RANGE (k); CREATE TABLE part PARTITION OF target FOR VALUES FROM (0) TO (100)`,
		mend: `CREATE TABLE rest PARTITION OF target DEFAULT`, named: true,
	},
	{
		row: waitRow, name: "foreign key", state: "23503", says: "target_a_fkey",
		ddl: `CREATE TABLE parent (a text PRIMARY KEY); INSERT INTO parent VALUES ('x'); CREATE TABLE target (k bigint PRIMARY KEY, a text REFERENCES parent)`,
	},
	{
		row: waitRow, name: "foreign key, deferred to COMMIT", state: "23503", says: "target_a_fkey",
		ddl: `CREATE TABLE parent (a text PRIMARY KEY); INSERT INTO parent VALUES ('x');
			CREATE TABLE target (k bigint PRIMARY KEY, a text REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`,
	},
	{
		row: dataRow, name: "value too long", state: "22001", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a varchar(3))`,
		named: true, stagedNamed: true, says: "column a (character varying(3))",
	},
	{
		row: dataRow, name: "number out of range", state: "22003", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a numeric(4,2))`,
		log: "0 w k=1 a=1; 0 w k=2 a=7777", named: true, stagedNamed: true, says: "column a (numeric(4,2))",
	},
	{
		row: dataRow, name: "unknown label of an enum", state: "22P02", ddl: `CREATE TYPE mood AS ENUM ('x'); CREATE TABLE target (k bigint PRIMARY KEY, a mood)`,
		named: true, stagedNamed: true, says: "column a (mood)",
	},
	{
		row: dataRow, name: "text that a type without an encoder does not take", state: "22P02",
		ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a int4range)`, text: []string{"a"}, log: "0 w k=2 a=secret",
		says: "malformed range literal",
	},
	{
		row: dataRow, name: "division by zero in a generated column", state: "22012", log: "0 w k=1 a=1; 0 w k=2 a=7777",
		ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a int, g int GENERATED ALWAYS AS (1 / (a - 7777)) STORED)`, named: true,
	},
	{
		row: dataRow, name: "not null", state: "23502", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text NOT NULL)`,
		log: "0 w k=1 a=x; 0 w k=7777 a=null", named: true, stagedNamed: true, says: `"a"`,
	},
	{
		row: dataRow, name: "unique", state: "23505", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text UNIQUE); INSERT INTO target VALUES (5, 'secret')`,
		named: true, says: "target_a_key",
	},
	{
		row: dataRow, name: "unique, deferred to COMMIT", state: "23505", says: "target_a_key",
		ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO target VALUES (5, 'secret')`,
	},
	{
		row: dataRow, name: "check", state: "23514", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text CONSTRAINT short CHECK (length(a) < 6))`,
		named: true, stagedNamed: true, says: `"short"`,
	},
	{
		row: dataRow, name: "check of a domain", state: "23514", named: true, stagedNamed: true, says: "few_check",
		ddl: `CREATE DOMAIN few AS text CHECK (length(VALUE) < 6); CREATE TABLE target (k bigint PRIMARY KEY, a few)`,
	},
	{
		row: dataRow, name: "exclusion", state: "23P01", says: "alone", named: true,
		ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text, CONSTRAINT alone EXCLUDE (a WITH =)); INSERT INTO target VALUES (5, 'secret')`,
	},
	{
		row: dataRow, name: "check option of a view", state: "44000", only: sinkd.Upsert,
		ddl: `CREATE TABLE base (k bigint PRIMARY KEY, a text); CREATE VIEW target AS SELECT * FROM base WHERE a <> 'secret' WITH CHECK OPTION`,
	},
	{row: dataRow, name: "row too large for an index", state: "54000", ddl: `CREATE TABLE target (k bigint PRIMARY KEY, a text); CREATE INDEX wide ON target (a)`, log: "0 w k=1 a=x; 0 w k=2 a=secret" + incompressible(), named: true, says: `"wide"`},
	{row: dataRow, name: "raised by a trigger", state: "P0001", refuse: `RAISE EXCEPTION 'refused' USING DETAIL = NEW.a, HINT = NEW.a`, named: true, says: "refused"},
	{row: dataRow, name: "no row for a function that wants one", state: "P0002", refuse: `DECLARE x int; BEGIN SELECT 1 INTO STRICT x WHERE false; END`, named: true},
	{row: dataRow, name: "several rows for a function that wants one", state: "P0003", refuse: `DECLARE x int; BEGIN SELECT g INTO STRICT x FROM generate_series(1, 2) g; END`, named: true},
	{row: dataRow, name: "assertion of a function", state: "P0004", refuse: `ASSERT false, 'refused'`, named: true},
	{row: schemaRow, name: "column dropped", state: "42703|", before: sql(`ALTER TABLE target DROP a`), mend: `ALTER TABLE target ADD a text`, anew: true},
	{row: schemaRow, name: "table dropped", state: "42P01|", before: sql(`DROP TABLE target`), mend: `CREATE TABLE target (k bigint PRIMARY KEY, a text)`, anew: true},
	{row: schemaRow, name: "table renamed", state: "42P01|", before: sql(`ALTER TABLE target RENAME TO moved`), mend: `ALTER TABLE moved RENAME TO target`},
	{row: schemaRow, name: "schema dropped", state: "3F000|", before: sql(`DROP SCHEMA public CASCADE`), mend: `CREATE SCHEMA public; CREATE TABLE target (k bigint PRIMARY KEY, a text)`, anew: true},
	{
		row: schemaRow, name: "column became a generated one", state: "42P10|428C9", anew: true,
		before: sql(`ALTER TABLE target DROP a, ADD a text GENERATED ALWAYS AS ('x') STORED`), mend: `ALTER TABLE target DROP a, ADD a text`,
	},
	{
		row: schemaRow, name: "the key's index dropped", state: "42P10", only: sinkd.Upsert,
		ddl:    `CREATE TABLE target (k bigint PRIMARY KEY, a text); ` + passing, // rows that are not merged
		before: sql(`ALTER TABLE target DROP CONSTRAINT target_pkey`), mend: `ALTER TABLE target ADD PRIMARY KEY (k)`, anew: true,
	},
	{
		row: schemaRow, name: "permission lost", state: "42501", role: true, hint: "GRANT INSERT",
		before: func(p *provocation) { p.exec(`REVOKE INSERT ON target FROM ` + p.name) },
	},
	{row: schemaRow, name: "row-level security switched on", state: "0A000", role: true, only: sinkd.Append, before: sql(`ALTER TABLE target ENABLE ROW LEVEL SECURITY`)},
	{row: schemaRow, name: "a trigger's function is broken", state: "42883", refuse: `PERFORM no_such_function()`, named: true},
	{row: otherRow, name: "too deep a recursion", state: "54001", refuse: `INSERT INTO target VALUES (NEW.k + 1, NEW.a)`, named: true},
	{row: otherRow, name: "error of an extension", state: "38000", refuse: raise("38000"), named: true},
	{row: otherRow, name: "transaction control in a trigger", state: "2D000", refuse: `COMMIT`, named: true},
}

// passing is a trigger that lets rows pass as they are.
const passing = `CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
	CREATE TRIGGER pass BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION pass()`

// incompressible is text that no index takes.
func incompressible() string {
	b := make([]byte, 5000)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[x>>26]
	}
	return string(b)
}

// crossing is the lane's side of a deadlock, whose victim is the lane: it waits
// last.
const crossing = `PERFORM set_config('deadlock_timeout', '10', true), pg_advisory_xact_lock(2);
	LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 2 AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())); END LOOP;
	PERFORM pg_advisory_xact_lock(1)`

// crossed is the other side, in a session of its own.
func crossed(p *provocation) {
	conn, err := pgx.Connect(p.Context(), p.url)
	p.must(err)
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.Context()))
	_, err = conn.Exec(ctx, `BEGIN; SELECT pg_advisory_xact_lock(1)`)
	p.must(err)
	go func() {
		defer close(done)
		_, _ = conn.Exec(ctx, `DO $$ BEGIN LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 2 AND granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())); END LOOP; END $$`)
		_, _ = conn.Exec(ctx, `SELECT pg_advisory_xact_lock(2)`)
		_ = conn.Close(context.WithoutCancel(ctx))
	}()
	p.undo = func() { cancel(); <-done }
}

// locked locks the table until it is undone.
func locked(p *provocation) {
	tx, err := p.db.Begin(p.Context())
	p.must(err)
	_, err = tx.Exec(p.Context(), `LOCK TABLE target`)
	p.must(err)
	p.undo = func() { p.must(tx.Rollback(p.Context())) }
}
