// Package store owns Postgres: the one transaction that makes a batch take
// effect, claims and positions, write modes on encoded bytes, dead letters,
// the ledger, incidents, the catalog and DDL, and what each SQLSTATE means.
// All SQL of the product is here, except the shape of the bookkeeping tables,
// which package migrations owns. It knows neither Kafka nor any format: what
// it writes are bytes that were encoded before.
//
// # Connections
//
// A store holds lanes + 2 sessions. Each lane has one, on which batches are
// applied and nothing else. Claims, halts and what operators do run on the
// control session, and may wait there for a row that another writer holds.
// What must never wait behind them runs on the watch session: positions, what
// replicas observe, the catalog, and the ending of stalled backends. What people
// look at (view.go) has a session of its own, opened when somebody looks.
//
// # The two ways into a table
//
// What a batch has for one table is a load (load.go). It goes straight into the
// table by COPY (copy.go) where that keeps the mode's promise: what is appended,
// and rows with a key for as long as the table has none of them (trial.go).
// Else it is copied into stages, temporary tables of the lane's session
// (stage.go), whose statements (merge.go) stand in the batch's last exchange
// (finish.go). Rows of which keys may be equal without having equal bytes are
// folded in between (fold.go). Where the table's constraints refuse rows, all of
// those are found at once (sift.go), where that can be told.
//
// # The guards
//
// That a record takes effect exactly once rests on a few lines. Each of them
// is commented where it stands, and each has a test in this package that fails
// without it:
//
//   - the compare-and-set of the position compares the offset (lane.go): a
//     position that went back or on since the batch was built ends the batch;
//   - it compares the claim (lane.go): a writer whose claim was taken, reset or
//     halted never commits again, even where the offset happens to agree;
//   - the token of a claim is random (claim.go): a counter is minted a second
//     time after a failover that lost the last claims;
//   - dead letters, rows, ledger and positions share one transaction (apply.go);
//   - a COMMIT without an answer is unknown, and is resolved by reading the
//     position rows under lock (resolve.go);
//   - a halt compares claim and offset (incident.go): nobody halts a partition
//     that is another's;
//   - a topic's start is pinned once, for all its partitions (topic.go): a
//     position row that is gone is never made again.
package store
