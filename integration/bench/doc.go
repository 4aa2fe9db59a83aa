// Command bench measures sinkd against psql's \copy, on a real broker and a
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
//   - After each run the table must hold exactly what \copy loaded.
//   - CPU is what the kernel charged the processes with, children included;
//     "other" is all else on the machine, so that a noisy run can be told.
//   - Memory is the process's own high-water mark of resident memory, not
//     wait4's, which begins with that of the process that forked.
//
// Data is made from a seed: topics and text files hold the same rows.
package main
