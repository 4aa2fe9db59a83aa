// Command bench measures sinkd against psql, on a real broker and a
// real server, in one run on one machine, and holds the figures against the
// bars of the project.
//
// What is measured, and how, so that the figures can be argued with:
//
//   - PostgreSQL as installed, its configuration file as it comes: fsync and
//     synchronous_commit on, 128 MB of shared buffers; the lab raises
//     max_wal_size to 4 GB. The same server and the same empty table, without
//     an index, for both sides, a checkpoint before every run.
//   - \copy loads a local text file, from the start of psql to its end. sinkd
//     is a child process with its default settings, from its start to the end
//     of run --until-caught-up, migrations and consumer group included, each
//     time as a new pipeline with a schema of its own. Kafka holds the topic
//     by then: not compressed, in batches of 16 KB, as its own producer writes
//     them by default.
//   - Both take turns, in a rotating order. Rates are medians of the rounds; a
//     ratio is the median of each round's own, so that a machine that gets
//     slower in the meantime does not decide it.
//   - After each run the table must hold exactly what psql loaded.
//   - Upsert is measured against a script for psql: the same rows in files of
//     50,000, each in a transaction of a COPY to a temporary table and one
//     INSERT ... ON CONFLICT DO UPDATE, with DISTINCT ON where keys repeat, and
//     64 MB of work_mem. The table has a primary key; what it holds before is
//     loaded, vacuumed and written out before the clock starts.
//   - WAL is what the server wrote during a run, bookkeeping and migrations
//     included; the table's size includes its indexes.
//   - Topics with broken records are compared with the same topic without:
//     every good record must be a row, every broken one a dead letter. Where
//     all are broken, sinkd has to halt before the hundredth dead letter.
//   - CPU is what the kernel charged the processes with, children included;
//     "other" is all else on the machine, so that a noisy run can be told.
//   - Memory is the process's own high-water mark of resident memory, not
//     wait4's, which begins with that of the process that forked.
//
// Data is made from a seed: topics and text files hold the same rows.
package main
