// Package lab starts the real parts that tests, benchmark and demo need:
// PostgreSQL servers and standbys, PgBouncer, an Apache Kafka broker, kfake in a
// process of its own, and a proxy in front of Postgres that cuts and stalls
// connections at an exact moment of the protocol.
//
// Everything listens on loopback only, on free ports, below one temporary
// directory, and ends with the program that started it, however that ends:
//
//   - Run and Lab.Close end all processes and remove the directory.
//   - Where the program dies without getting there (panic, kill -9), the kernel
//     kills the servers (Pdeathsig), and a watcher, a small shell that waits
//     for the end of a pipe, removes the directory.
//   - Where the watcher was killed as well, the next start of a lab sweeps what
//     no living program holds any more.
//
// A test package uses it by
//
//	func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }
//
// and Database, SharedKafka and Topic in its tests. The package is never
// imported by production code.
//
// What has to be fetched is kept in sinkd-lab below the user's cache directory.
// SINKD_LAB_POSTGRES=14 to 18 chooses the version of the shared server. A part
// that cannot be had skips the tests that need it, and fails them where CI=true.
package lab
